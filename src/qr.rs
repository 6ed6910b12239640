//! QR codes of `otpauth://` URIs, as images for a page. They show the secret, so serve them as you would a password:
//! over HTTPS, with `Cache-Control: no-store`, and once.
#![forbid(unsafe_code)]

use std::fmt;

use qrcode::render::svg as vector;
use qrcode::{EcLevel, QrCode};
use zeroize::Zeroizing;

/// Draws `text` as a QR code in SVG, with a quiet zone of four modules. The image is wiped when dropped.
///
/// # Errors
///
/// [`NotDrawn`] for a text of more than about 2,900 bytes.
pub fn svg(text: &str) -> Result<Zeroizing<String>, NotDrawn> {
    Ok(Zeroizing::new(code(text)?.render::<vector::Color<'_>>().build()))
}

/// Draws `text` as a QR code in PNG, with eight pixels per module and a quiet zone of four modules. The image is wiped
/// when dropped.
///
/// # Errors
///
/// [`NotDrawn`] for a text of more than about 2,900 bytes.
pub fn png(text: &str) -> Result<Zeroizing<Vec<u8>>, NotDrawn> {
    let code = code(text)?;
    let mut renderer = code.render::<char>();
    let renderer = renderer.dark_color(DARK).light_color(LIGHT).module_dimensions(SCALE, SCALE);
    let letters = Zeroizing::new(renderer.build());
    let grey = |letter| if letter == DARK { 0_u8 } else { u8::MAX };
    let lines = || letters.lines();
    let pixels: Zeroizing<Vec<u8>> = Zeroizing::new(lines().flat_map(str::chars).map(grey).collect());
    // A QR code is square.
    let side = u32::try_from(lines().count()).unwrap_or(u32::MAX);
    let mut image = Zeroizing::new(Vec::with_capacity(pixels.len()));
    let mut encoder = png::Encoder::new(&mut *image, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&pixels))
        .map_err(|error| NotDrawn(error.to_string()))?;
    Ok(image)
}

/// The modules of the code.
pub(crate) fn code(text: &str) -> Result<QrCode, NotDrawn> {
    // The lowest level of error correction: screens have no dirt, and a smaller code fits on more terminals.
    QrCode::with_error_correction_level(text, EcLevel::L).map_err(|error| NotDrawn(error.to_string()))
}

const DARK: char = '0';
const LIGHT: char = '1';
const SCALE: u32 = 8;

/// The text is too long for a QR code, or could not be encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotDrawn(String);

impl fmt::Display for NotDrawn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "no QR code: {}", self.0)
    }
}

impl std::error::Error for NotDrawn {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_png_has_eight_pixels_per_module() {
        let image = png("x").expect("image");
        let reader = png::Decoder::new(std::io::Cursor::new(&*image)).read_info().expect("header");
        assert_eq!((reader.info().width, reader.info().height), (232, 232));
        assert!(svg("x").expect("image").starts_with("<?xml"));
    }

    #[test]
    fn a_text_that_no_code_holds_is_an_error_without_a_word_of_it() {
        let error = svg(&"gezdgnbv".repeat(400)).expect_err("too long").to_string();
        assert!(error.starts_with("no QR code: ") && !error.contains("GEZD"), "{error}");
    }
}
