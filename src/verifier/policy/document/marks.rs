//! Characters that look like others or like nothing, with their names in Unicode. Editors, web pages and man pages put
//! them into files.

/// What a reader takes a character for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// One that stands for a straight quote.
    Quote,
    /// A blank that is not the plain one.
    Blank,
    /// One that is not seen at all.
    Invisible,
    /// A wide or mathematical form of an ASCII character.
    LookAlike(char),
}

/// What `character` is, where it is none that it seems to be.
#[cold]
pub(super) fn mark(character: char) -> Option<Mark> {
    Some(match character {
        '\u{2018}'..='\u{201f}'
        | '\u{ab}'
        | '\u{bb}'
        | '\u{2039}'
        | '\u{203a}'
        | '\u{2032}'..='\u{2037}'
        | '\u{ff02}'
        | '\u{ff07}'
        | '\u{b4}'
        | '\u{300c}'..='\u{300f}'
        | '\u{301d}'..='\u{301f}' => Mark::Quote,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Mark::Blank,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{fff9}'..='\u{fffb}' => Mark::Invisible,
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Mark::LookAlike('-'),
        '\u{2026}' => Mark::LookAlike('.'),
        '\u{ff01}'..='\u{ff5e}' => Mark::LookAlike(full_width(character)),
        _ => return None,
    })
}

/// "U+201C (left double quotation mark)"; only the code point where its name is not kept here.
#[cold]
pub(super) fn code_point(character: char) -> String {
    let number = format!("U+{:04X}", u32::from(character));
    NAMES
        .iter()
        .find(|(known, _)| *known == character)
        .map_or_else(|| number.clone(), |(_, name)| format!("{number} ({name})"))
}

/// The first character of `text` that is none that it seems to be, with its place in bytes.
#[cold]
pub(super) fn first_mark(text: &str) -> Option<(usize, char, Mark)> {
    text.char_indices().find_map(|(at, character)| Some((at, character, mark(character)?)))
}

fn full_width(character: char) -> char {
    const BEFORE_ASCII: u32 = 0xfee0;
    u32::from(character).checked_sub(BEFORE_ASCII).and_then(char::from_u32).unwrap_or('?')
}

const NAMES: &[(char, &str)] = &[
    ('\0', "null"),
    ('\t', "tab"),
    ('\r', "carriage return"),
    ('\u{b}', "vertical tab"),
    ('\u{c}', "form feed"),
    ('\u{1b}', "escape"),
    ('\u{a0}', "no-break space"),
    ('\u{ab}', "left-pointing double angle quotation mark"),
    ('\u{ad}', "soft hyphen"),
    ('\u{b4}', "acute accent"),
    ('\u{bb}', "right-pointing double angle quotation mark"),
    ('\u{2003}', "em space"),
    ('\u{2009}', "thin space"),
    ('\u{200b}', "zero width space"),
    ('\u{200c}', "zero width non-joiner"),
    ('\u{200d}', "zero width joiner"),
    ('\u{200e}', "left-to-right mark"),
    ('\u{200f}', "right-to-left mark"),
    ('\u{2010}', "hyphen"),
    ('\u{2011}', "non-breaking hyphen"),
    ('\u{2013}', "en dash"),
    ('\u{2014}', "em dash"),
    ('\u{2018}', "left single quotation mark"),
    ('\u{2019}', "right single quotation mark"),
    ('\u{201a}', "single low-9 quotation mark"),
    ('\u{201c}', "left double quotation mark"),
    ('\u{201d}', "right double quotation mark"),
    ('\u{201e}', "double low-9 quotation mark"),
    ('\u{2026}', "horizontal ellipsis"),
    ('\u{2028}', "line separator"),
    ('\u{202e}', "right-to-left override"),
    ('\u{202f}', "narrow no-break space"),
    ('\u{2032}', "prime"),
    ('\u{2033}', "double prime"),
    ('\u{2039}', "single left-pointing angle quotation mark"),
    ('\u{203a}', "single right-pointing angle quotation mark"),
    ('\u{2060}', "word joiner"),
    ('\u{2212}', "minus sign"),
    ('\u{3000}', "ideographic space"),
    ('\u{feff}', "byte order mark"),
    ('\u{ff02}', "fullwidth quotation mark"),
    ('\u{ff1d}', "fullwidth equals sign"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_seems_to_be_another_character_is_named() {
        let cases = [
            ('\u{201c}', Some(Mark::Quote), "U+201C (left double quotation mark)"),
            ('\u{a0}', Some(Mark::Blank), "U+00A0 (no-break space)"),
            ('\u{200b}', Some(Mark::Invisible), "U+200B (zero width space)"),
            ('\u{ff1d}', Some(Mark::LookAlike('=')), "U+FF1D (fullwidth equals sign)"),
            ('\u{2212}', Some(Mark::LookAlike('-')), "U+2212 (minus sign)"),
            ('\u{2037}', Some(Mark::Quote), "U+2037"),
            ('a', None, "U+0061"),
            ('ü', None, "U+00FC"),
            ('"', None, "U+0022"),
        ];
        for (character, kind, named) in cases {
            assert_eq!((mark(character), code_point(character).as_str()), (kind, named), "{character:?}");
        }
        assert_eq!(first_mark("ü\u{2013}"), Some((2, '\u{2013}', Mark::LookAlike('-'))));
    }
}
