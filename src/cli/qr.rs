//! QR codes: on the terminal, or in a new file that only its owner can read.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use zeroize::Zeroizing;

use super::failure::Failure;
use super::output;
use crate::qr::{NotDrawn, code, png, svg};

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

    /// Draws `text`: returns what goes to standard output, or writes the file.
    ///
    /// # Errors
    ///
    /// [`Failure`] when the file exists already or can't be written.
    pub fn draw(&self, text: &str) -> Result<Zeroizing<String>, Failure> {
        let failed = |error: NotDrawn| Failure::refused(error.to_string());
        match self {
            Self::None => {}
            Self::Utf8 => return Ok(half_blocks(&code(text).map_err(failed)?, output::is_terminal())),
            Self::Ascii => return Ok(two_characters(&code(text).map_err(failed)?)),
            Self::Png(path) => write_new(path, &png(text).map_err(failed)?)?,
            Self::Svg(path) => write_new(path, svg(text).map_err(failed)?.as_bytes())?,
        }
        Ok(Zeroizing::default())
    }
}

/// Light modules are drawn and dark ones left out, because most terminals are dark. Where colours can be set
/// they are, so that a light terminal shows the same.
fn half_blocks(code: &QrCode, coloured: bool) -> Zeroizing<String> {
    let mut renderer = code.render::<Dense1x2>();
    let renderer = renderer.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark);
    let drawn = Zeroizing::new(renderer.module_dimensions(1, 1).build());
    let (before, after) = if coloured { ("\x1b[40;97m", "\x1b[0m\n") } else { ("", "\n") };
    join_lines(&drawn, before, after)
}

fn two_characters(code: &QrCode) -> Zeroizing<String> {
    let mut renderer = code.render::<char>();
    let renderer = renderer.dark_color(' ').light_color('#');
    join_lines(&Zeroizing::new(renderer.module_dimensions(2, 1).build()), "", "\n")
}

fn join_lines(drawn: &str, before: &str, after: &str) -> Zeroizing<String> {
    let room = drawn.len().saturating_mul(2).saturating_add(4_096);
    let mut text = Zeroizing::new(String::with_capacity(room));
    for line in drawn.lines() {
        text.push_str(before);
        text.push_str(line);
        text.push_str(after);
    }
    text
}

/// Writes a file that was not there, readable only by its owner: it holds a secret, and following a link
/// or overwriting could put it anywhere.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::refused(format!("cannot write the QR code to {}: {error}; name a new file", path.display()))
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(bytes).map_err(|error| {
        // Half an image helps nobody, and this command made it.
        let _ = std::fs::remove_file(path);
        failed(error)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn every_form_is_read_and_no_other() {
        let cases = [
            ("utf8", Some(QrOutput::Utf8)),
            ("ascii", Some(QrOutput::Ascii)),
            ("none", Some(QrOutput::None)),
            ("png=a=b.png", Some(QrOutput::Png("a=b.png".into()))),
            ("svg=x", Some(QrOutput::Svg("x".into()))),
            ("png=", None),
            ("png", None),
            ("gif=x", None),
            ("", None),
        ];
        for (text, form) in cases {
            assert_eq!(QrOutput::parse(text).ok(), form, "{text:?}");
        }
    }

    #[test]
    fn the_quiet_zone_is_drawn_light_on_a_dark_terminal() {
        let code = QrCode::new("x").expect("code");
        let drawn = half_blocks(&code, false);
        assert_eq!(drawn.lines().next().map(str::to_owned), Some("█".repeat(29)));
        let drawn = half_blocks(&code, true);
        assert!(drawn.lines().all(|line| line.starts_with("\x1b[40;97m") && line.ends_with("\x1b[0m")));
        assert_eq!(two_characters(&code).lines().next().map(str::to_owned), Some("#".repeat(58)));
    }

    #[test]
    fn images_go_to_a_new_private_file_alone() {
        let folder = tempfile::tempdir().expect("folder");
        for (form, start) in [("png", b"\x89PNG".as_slice()), ("svg", b"<?xml")] {
            let path = folder.path().join(form);
            let output = QrOutput::parse(&format!("{form}={}", path.display())).expect("form");
            assert_eq!(*output.draw("otpauth://totp/a?secret=b").expect("drawn"), "");
            assert!(std::fs::read(&path).expect("image").starts_with(start), "{form}");
            let mode = std::fs::metadata(&path).expect("image").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{form}");
            let failure = output.draw("other").expect_err("there already");
            assert!(failure.to_string().contains("name a new file"), "{failure}");
        }
    }
}
