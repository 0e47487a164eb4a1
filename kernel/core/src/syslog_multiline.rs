//! Lines that surely begin a message. The specification is the readable twin in `wire/syslog_multiline.py`.

const MAX_PRI_DIGITS: usize = 3;

/// Numbers of the lines, whose spans are start, end, start, end ..., that don't begin with a PRI.
#[must_use]
pub fn loose_lines(buffer: &[u8], lines: &[u32]) -> Vec<u32> {
    let headed = |line: &[u32]| buffer.get(line[0] as usize..line[1] as usize).is_some_and(begins_with_pri);
    (0..).zip(lines.chunks_exact(2)).filter(|(_, line)| !headed(line)).map(|(number, _)| number).collect()
}

/// `<`, one to three digits, `>`.
fn begins_with_pri(line: &[u8]) -> bool {
    let Some((b'<', behind)) = line.split_first() else { return false };
    let digits = behind.iter().take(MAX_PRI_DIGITS + 1).take_while(|octet| octet.is_ascii_digit()).count();
    (1..=MAX_PRI_DIGITS).contains(&digits) && behind.get(digits) == Some(&b'>')
}
