//! Reading a tar stream that may be hostile.
//!
//! Takes the stream apart and decides nothing: paths come out as they were written. Whatever the stream
//! says it has is bounded before memory is taken for it. A stream that ends without its end mark is an
//! error, so that half an archive is never taken for a whole one.

use std::ffi::CString;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;

use tar::{EntryType, Header};

use super::{BLOCK, MAX_EXTENTS, XATTR_PREFIX};
use crate::worker::server::files::attributes::{
    Attributes, MODE_BITS, Timestamp, Xattr, is_content,
};

/// Of the records before a member. Attributes of 64 KiB are the largest honest content.
const MAX_RECORDS: u64 = 4 << 20;

/// A line of a sparse map is one number.
const MAX_LINE: usize = 32;

/// A member of an archive.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) kind: EntryType,
    pub(super) path: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) attributes: Attributes,
    pub(super) xattrs: Vec<Xattr>,
    pub(super) size: u64,
    /// Of a sparse file: its real size; the data then begins with a map.
    pub(super) real_size: Option<u64>,
    pub(super) device: (u32, u32),
}

/// The stream; reading from it gives the data of the latest member.
#[derive(Debug)]
pub(super) struct TarReader<R> {
    input: R,
    data_left: u64,
    padding: u64,
}

/// What is said about the next member ahead of it.
#[derive(Default)]
struct Ahead {
    records: Vec<(Vec<u8>, Vec<u8>)>,
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Ahead {
    fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.records
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_slice())
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.get(key.as_bytes())
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> io::Result<Option<T>> {
        self.text(key)
            .map(|value| {
                value
                    .parse()
                    .map_err(|_| malformed(&format!("{key} is not a number")))
            })
            .transpose()
    }
}

impl<R: Read> TarReader<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            data_left: 0,
            padding: 0,
        }
    }

    /// The next member, or none after the end mark.
    pub(super) fn next(&mut self) -> io::Result<Option<Found>> {
        let mut ahead = Ahead::default();
        loop {
            let Some(header) = self.next_header()? else {
                return Ok(None);
            };
            #[expect(clippy::wildcard_enum_match_arm, reason = "all others are members")]
            match header.entry_type() {
                EntryType::XHeader => ahead.records = parse_records(&self.small_data()?)?,
                EntryType::GNULongName => ahead.path = Some(until_nul(self.small_data()?)),
                EntryType::GNULongLink => ahead.link = Some(until_nul(self.small_data()?)),
                EntryType::XGlobalHeader => {}
                _ => return found(&header, ahead, self.data_left).map(Some),
            }
        }
    }

    /// The rest of the input, which has to be padding.
    pub(super) fn drain(mut self) -> io::Result<()> {
        let mut buffer = [0; BLOCK];
        loop {
            let count = self.input.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            if buffer[..count].iter().any(|byte| *byte != 0) {
                return Err(malformed("there is something after its end"));
            }
        }
    }

    fn next_header(&mut self) -> io::Result<Option<Header>> {
        let skip = self.data_left + self.padding;
        if io::copy(&mut (&mut self.input).take(skip), &mut io::sink())? != skip {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        (self.data_left, self.padding) = (0, 0);
        let mut header = Header::new_old();
        self.input.read_exact(header.as_mut_bytes())?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        // As POSIX has it: the sum of all bytes, those of the sum itself taken as spaces.
        let sum: u32 = header.as_bytes().iter().map(|byte| u32::from(*byte)).sum();
        let own: u32 = header
            .as_old()
            .cksum
            .iter()
            .map(|byte| u32::from(*byte))
            .sum();
        if header.cksum().ok() != Some(sum - own + 8 * 32) {
            return Err(malformed("a header does not match its checksum"));
        }
        self.data_left = field(header.entry_size())?;
        self.padding = self
            .data_left
            .checked_next_multiple_of(BLOCK as u64)
            .ok_or_else(|| malformed("a size is absurd"))?
            - self.data_left;
        Ok(Some(header))
    }

    fn small_data(&mut self) -> io::Result<Vec<u8>> {
        if self.data_left > MAX_RECORDS {
            return Err(malformed("its records are larger than any honest ones"));
        }
        let mut data = Vec::new();
        self.read_to_end(&mut data)?;
        Ok(data)
    }

    /// The map in front of a sparse file's data: ascending, within the file, and followed by as many bytes
    /// as it says. Calls `each` when the extent's data is next.
    pub(super) fn each_extent(
        &mut self,
        size: u64,
        mut each: impl FnMut(&mut Self, Range<u64>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut block = Vec::new();
        let count = self.number(&mut block)?;
        if count > MAX_EXTENTS as u64 {
            return Err(malformed(
                "a sparse map has more pieces than any honest one",
            ));
        }
        let mut extents = Vec::new();
        let mut end = 0;
        for _ in 0..count {
            let (start, length) = (self.number(&mut block)?, self.number(&mut block)?);
            let next = start
                .checked_add(length)
                .filter(|next| start >= end && *next <= size);
            end = next.ok_or_else(|| malformed("a sparse map leads out of its file"))?;
            extents.push(start..end);
        }
        extents
            .into_iter()
            .try_for_each(|extent| each(self, extent))?;
        if self.data_left == 0 {
            Ok(())
        } else {
            Err(malformed("a sparse file has more data than its map says"))
        }
    }

    /// A line with a number; `block` holds what is left of the block it is in, last byte first.
    fn number(&mut self, block: &mut Vec<u8>) -> io::Result<u64> {
        let mut digits = String::new();
        loop {
            if block.is_empty() {
                block.resize(BLOCK, 0);
                self.read_exact(block)?;
                block.reverse();
            }
            match block.pop() {
                Some(b'\n') => {
                    return digits
                        .parse()
                        .map_err(|_| malformed("a sparse map holds no number"));
                }
                Some(digit @ b'0'..=b'9') if digits.len() < MAX_LINE => digits.push(digit.into()),
                _ => return Err(malformed("a sparse map holds no number")),
            }
        }
    }
}

impl<R: Read> Read for TarReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = usize::try_from(self.data_left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = self.input.read(&mut buffer[..length])?;
        if count == 0 && length > 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.data_left -= count as u64;
        Ok(count)
    }
}

fn malformed(reason: &str) -> io::Error {
    io::Error::new(
        ErrorKind::InvalidData,
        format!("the archive is malformed: {reason}"),
    )
}

fn until_nul(mut text: Vec<u8>) -> Vec<u8> {
    text.truncate(
        text.iter()
            .position(|byte| *byte == 0)
            .unwrap_or(text.len()),
    );
    text
}

fn found(header: &Header, ahead: Ahead, size: u64) -> io::Result<Found> {
    if ahead
        .number::<u64>("size")?
        .is_some_and(|said| said != size)
    {
        return Err(malformed("a member has two sizes"));
    }
    let real_size = match ahead.text("GNU.sparse.major") {
        Some("1") => ahead.number("GNU.sparse.realsize")?,
        Some(_) => {
            return Err(malformed(
                "it holds a sparse file of another kind than GNU's 1.0",
            ));
        }
        None => None,
    };
    let path = ahead
        .get(b"GNU.sparse.name")
        .or(ahead.get(b"path"))
        .map(<[u8]>::to_vec)
        .or_else(|| ahead.path.clone());
    let link = ahead
        .get(b"linkpath")
        .map(<[u8]>::to_vec)
        .or_else(|| ahead.link.clone());
    Ok(Found {
        kind: header.entry_type(),
        path: path.unwrap_or_else(|| header.path_bytes().into_owned()),
        link: link
            .or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned))
            .unwrap_or_default(),
        attributes: attributes(header, &ahead)?,
        xattrs: ahead.records.into_iter().filter_map(xattr).collect(),
        size,
        real_size,
        device: device(header)?,
    })
}

fn device(header: &Header) -> io::Result<(u32, u32)> {
    if !matches!(header.entry_type(), EntryType::Char | EntryType::Block) {
        return Ok((0, 0));
    }
    let (major, minor) = (field(header.device_major())?, field(header.device_minor())?);
    major
        .zip(minor)
        .ok_or_else(|| malformed("a device has no number"))
}

/// A number of a header.
fn field<T>(parsed: io::Result<T>) -> io::Result<T> {
    parsed.map_err(|error| malformed(&error.to_string()))
}

fn attributes(header: &Header, ahead: &Ahead) -> io::Result<Attributes> {
    let number = |said: Option<u32>, written: io::Result<u64>| -> io::Result<u32> {
        said.map_or_else(
            || u32::try_from(field(written)?).map_err(|_| malformed("an owner is absurd")),
            Ok,
        )
    };
    let modified = match ahead.text("mtime") {
        Some(text) => timestamp(text)?,
        None => (i64::try_from(field(header.mtime())?).unwrap_or(i64::MAX), 0),
    };
    Ok(Attributes {
        uid: number(ahead.number("uid")?, header.uid())?,
        gid: number(ahead.number("gid")?, header.gid())?,
        mode: field(header.mode())? & MODE_BITS,
        accessed: ahead.text("atime").map_or(Ok(modified), timestamp)?,
        modified,
    })
}

fn timestamp(text: &str) -> io::Result<Timestamp> {
    let wrong = || malformed("a time is not a number");
    let (negative, digits) = text
        .strip_prefix('-')
        .map_or((false, text), |digits| (true, digits));
    let (seconds, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let nanoseconds: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let total = i128::from(seconds.parse::<u64>().map_err(|_| wrong())?) * 1_000_000_000
        + i128::from(nanoseconds.parse::<u32>().map_err(|_| wrong())?);
    let total = if negative { -total } else { total };
    let seconds = i64::try_from(total.div_euclid(1_000_000_000)).map_err(|_| wrong())?;
    Ok((
        seconds,
        i64::try_from(total.rem_euclid(1_000_000_000)).map_err(|_| wrong())?,
    ))
}

fn xattr((key, value): (Vec<u8>, Vec<u8>)) -> Option<Xattr> {
    let name = CString::new(key.strip_prefix(XATTR_PREFIX.as_bytes())?).ok()?;
    is_content(&name).then_some((name, value))
}

/// `LENGTH KEY=VALUE\n`, the length being that of all of it: values may hold newlines.
fn parse_records(mut data: &[u8]) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let wrong = || malformed("a pax record is broken");
    let mut records = Vec::new();
    while !data.is_empty() {
        let space = data
            .iter()
            .position(|byte| *byte == b' ')
            .ok_or_else(wrong)?;
        let length = std::str::from_utf8(&data[..space])
            .ok()
            .and_then(|text| text.parse::<usize>().ok())
            .ok_or_else(wrong)?;
        let record = data
            .get(space + 1..length)
            .and_then(|record| record.strip_suffix(b"\n"))
            .ok_or_else(wrong)?;
        let equals = record
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or_else(wrong)?;
        records.push((record[..equals].to_vec(), record[equals + 1..].to_vec()));
        data = &data[length..];
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_may_hold_newlines_and_equals_signs() {
        let records = parse_records(b"11 key=a\nb\n8 x=y=z\n").expect("parsed");
        assert_eq!(
            records,
            [
                (b"key".to_vec(), b"a\nb".to_vec()),
                (b"x".to_vec(), b"y=z".to_vec())
            ]
        );
        for broken in [
            &b"11 key=ab\n"[..],
            b"0 ",
            b"3 \n",
            b"x",
            b"99999999999999999999 a=b\n",
            b"7 keyab\n",
        ] {
            assert!(parse_records(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn times_keep_their_nanoseconds_on_both_sides_of_1970() {
        for time in [
            (0, 0),
            (1, 5),
            (-1, 999_999_999),
            (-2, 0),
            (1 << 40, 123_456_789),
        ] {
            assert_eq!(
                timestamp(&crate::worker::server::archive::pack::decimal(time)).expect("a time"),
                time
            );
        }
        for text in ["", "-", "1.x", "--1", "1e5", "99999999999999999999"] {
            assert!(timestamp(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn records_are_bounded_before_memory_is_taken() {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::XHeader);
        header.set_size(1 << 40);
        header.set_cksum();
        let error = TarReader::new(header.as_bytes().chain(io::repeat(b'x')))
            .next()
            .expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn a_stream_without_its_end_mark_is_an_error() {
        assert_eq!(
            TarReader::new(&b""[..]).next().expect_err("refused").kind(),
            ErrorKind::UnexpectedEof
        );
        assert!(
            TarReader::new(&[0_u8; 512][..])
                .next()
                .expect("the end")
                .is_none()
        );
        assert!(TarReader::new(&[1_u8; 512][..]).next().is_err());
    }
}
