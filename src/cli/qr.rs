//! QR codes: on the terminal, or in a file that only its owner can read.

use std::path::PathBuf;

/// Where the QR code goes, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QrOutput {
    /// Half blocks on standard output.
    Utf8,
    /// Two characters per module on standard output.
    Ascii,
    /// Nowhere.
    None,
    /// A new PNG file.
    Png(PathBuf),
    /// A new SVG file.
    Svg(PathBuf),
}

impl QrOutput {
    /// Reads the value of `--qr`.
    ///
    /// # Errors
    ///
    /// A text naming the known forms.
    pub fn parse(text: &str) -> Result<Self, String> {
        match (text, text.split_once('=')) {
            ("utf8", _) => Ok(Self::Utf8),
            ("ascii", _) => Ok(Self::Ascii),
            ("none", _) => Ok(Self::None),
            (_, Some(("png", path))) if !path.is_empty() => Ok(Self::Png(path.into())),
            (_, Some(("svg", path))) if !path.is_empty() => Ok(Self::Svg(path.into())),
            _ => Err("known: utf8, ascii, none, png=FILE, svg=FILE".to_owned()),
        }
    }
}
