//! The rows and fields of CSV, in buffers that are wiped.

use csv_core::{ReadRecordResult, ReaderBuilder};
use zeroize::Zeroizing;

/// A row that is not blank.
pub struct Row {
    /// The line that it begins at, from 1.
    pub line: usize,
    /// Its fields, without the blanks around them.
    pub fields: Vec<Zeroizing<String>>,
}

impl Row {
    /// The field at `place`, `None` where it is missing or empty.
    #[must_use]
    pub fn field(&self, place: usize) -> Option<&str> {
        self.fields.get(place).map(|field| field.as_str()).filter(|field| !field.is_empty())
    }
}

/// Splits `text` into rows. The separator is the one of comma, semicolon and tab that the first row has most of.
///
/// # Errors
///
/// The line of a quotation mark that nothing closes.
pub fn rows(text: &str) -> Result<Vec<Row>, usize> {
    let mut reader = ReaderBuilder::new().delimiter(separator(text)).build();
    // With an end of line behind the last row, each row is whole after one call.
    let mut whole = Zeroizing::new(String::with_capacity(text.len().saturating_add(1)));
    for line in text.split_inclusive('\n') {
        // A comment stays as a blank line, so that it can hold a quotation mark and lines keep their numbers.
        whole.push_str(if line.starts_with('#') { "\n" } else { line });
    }
    whole.push('\n');
    let mut output = Zeroizing::new(vec![0; whole.len()]);
    let mut ends = vec![0; MOST_FIELDS];
    let (mut rows, mut rest) = (Vec::new(), whole.as_bytes());
    while !rest.is_empty() {
        let blank = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        let blank = blank.filter(|byte| **byte == b'\n').count();
        let line = usize::try_from(reader.line()).unwrap_or(usize::MAX).saturating_add(blank);
        let (result, read, written, count) = reader.read_record(rest, &mut output, &mut ends);
        rest = rest.get(read..).unwrap_or_default();
        if result != ReadRecordResult::Record {
            // Blank lines at the end are no row; anything else is cut off, or has more fields than any list.
            return if written == 0 && count == 0 { Ok(rows) } else { Err(line) };
        }
        let row = Row { line, fields: fields(&output, ends.get(..count).unwrap_or_default()) };
        if row.fields.iter().any(|field| !field.is_empty()) {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// What to say of a row without an end.
pub const OPEN_QUOTATION: &str = "a quotation mark is not closed, so it is not clear where the row ends";
/// More fields than a row of any list has.
const MOST_FIELDS: usize = 1_024;

fn fields(output: &[u8], ends: &[usize]) -> Vec<Zeroizing<String>> {
    let mut start = 0;
    let mut fields = Vec::with_capacity(ends.len());
    for end in ends {
        let field = output.get(start..*end).unwrap_or_default();
        // The text was UTF-8 before, and a separator of ASCII cuts no letter in two.
        fields.push(Zeroizing::new(std::str::from_utf8(field).unwrap_or_default().trim().to_owned()));
        start = *end;
    }
    fields
}

fn separator(text: &str) -> u8 {
    let first =
        text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#')).unwrap_or_default();
    let count = |separator: &u8| first.bytes().filter(|byte| byte == separator).count();
    // `max_by_key` takes the last of equals: the comma where there is none at all.
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        rows(text)
            .expect("rows")
            .iter()
            .map(|row| {
                format!(
                    "{}:{}",
                    row.line,
                    row.fields.iter().map(|it| it.as_str()).collect::<Vec<_>>().join("|")
                )
            })
            .collect()
    }

    #[test]
    fn rows_keep_their_lines_whatever_stands_between_them() {
        assert_eq!(shown("a,b\r\n\r\n\nc, d \n"), ["1:a|b", "4:c|d"]);
        assert_eq!(shown("a;b\n\"c;1\";d"), ["1:a|b", "2:c;1|d"]);
        assert_eq!(shown("a\tb\n"), ["1:a|b"]);
        assert_eq!(shown("\"a\nb\",c\nd,e\n"), ["1:a\nb|c", "3:d|e"]);
        assert_eq!(shown(",,\n \nx,\n"), ["3:x|"]);
        assert_eq!(shown("one"), ["1:one"]);
        assert_eq!((shown(""), shown("\n\n")), (Vec::new(), Vec::new()));
        assert_eq!(shown("# it\"s\na,b\n#c\n"), ["2:a|b"]);
        assert_eq!(rows("a,b\n\nc,\"d\ne,f\n").err(), Some(3));
        assert_eq!(shown("\"a\"\"b\",\u{e4}"), ["1:a\"b|\u{e4}"]);
    }
}
