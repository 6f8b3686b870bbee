//! A component as it was delivered, unpacked within bounds.
//!
//! Whoever delivers it is not trusted yet: a few bytes may claim to be gigabytes, or ask for as much memory before they
//! say anything. What is held is the compressed file, what was unpacked so far, and one window.

use std::fmt;
use std::io::{self, Read};

use flate2::bufread::GzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::components::MAX_COMPONENT_BYTES;

/// How far back a zstd frame may refer. RFC 8878 asks decoders for this much and encoders for no more; `zstd -19` keeps
/// to it, `--ultra` and `--long` do not.
const MAX_WINDOW_BYTES: u64 = 8 << 20;

/// gzip members or zstd frames in a file. Tools that compress in parallel make one for each block; each costs tables to
/// set up, however little is in it.
const MAX_PARTS: usize = 4096;

/// Unpacked at a time.
const CHUNK: usize = 256 << 10;

/// How a component's file is compressed, by the ending of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// `.wasm`
    None,
    /// `.wasm.zst`
    Zstd,
    /// `.wasm.gz`
    Gzip,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "uncompressed",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        })
    }
}

/// Why a file cannot be unpacked. Of which file, says whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum DecompressError {
    /// A bomb, or simply too large.
    #[error(
        "it unpacks to more than {MAX_COMPONENT_BYTES} bytes, and no setting allows a component to have more"
    )]
    TooLarge,
    /// The frame demands more memory than it gets.
    #[error(
        "it demands a window of {window_bytes} bytes, and {MAX_WINDOW_BYTES} are the most; compress it by `zstd -19`, without --ultra or --long"
    )]
    Window {
        /// What it demands.
        window_bytes: u64,
    },
    /// More pieces than any tool makes.
    #[error("it consists of more than {MAX_PARTS} compressed pieces; compress it in one")]
    Parts,
    /// Another format than its name says.
    #[error(
        "it does not begin as a {compression} file does; its name has to end as it is compressed: .wasm.zst, .wasm.gz, or .wasm if it is not"
    )]
    NotOfThatKind {
        /// What its name says.
        compression: Compression,
    },
    /// It ends too early.
    #[error(
        "it is truncated: the {compression} data ends in the midst; was it still being copied?"
    )]
    Truncated {
        /// What its name says.
        compression: Compression,
    },
    /// Something follows its end.
    #[error("{count} bytes follow the end of its {compression} data")]
    Trailing {
        /// What its name says.
        compression: Compression,
        /// Bytes that are left.
        count: usize,
    },
    /// A dictionary of zstd, which nobody delivers.
    #[error("it was compressed with a dictionary, which cannot be had here; compress it without")]
    Dictionary,
    /// Its own checks fail.
    #[error("its {compression} data is damaged: {reason}")]
    Damaged {
        /// What its name says.
        compression: Compression,
        /// In the words of the decoder.
        reason: String,
    },
}

/// The component in a file's bytes.
///
/// # Errors
/// [`DecompressError`]; what was unpacked until then is dropped.
pub fn decompress(bytes: Vec<u8>, compression: Compression) -> Result<Vec<u8>, DecompressError> {
    match compression {
        Compression::None if bytes.len() as u64 > MAX_COMPONENT_BYTES => {
            Err(DecompressError::TooLarge)
        }
        Compression::None => Ok(bytes),
        Compression::Zstd => unpack_zstd(&bytes),
        Compression::Gzip => unpack_gzip(&bytes),
    }
}

/// What was unpacked, up to the bound.
#[derive(Default)]
struct Unpacked(Vec<u8>);

impl Unpacked {
    fn room(&self) -> u64 {
        MAX_COMPONENT_BYTES.saturating_sub(self.0.len() as u64)
    }

    fn check(&self, more: usize) -> Result<(), DecompressError> {
        match more as u64 > self.room() {
            true => Err(DecompressError::TooLarge),
            false => Ok(()),
        }
    }
}

fn unpack_gzip(bytes: &[u8]) -> Result<Vec<u8>, DecompressError> {
    const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
    let compression = Compression::Gzip;
    let (mut rest, mut unpacked) = (bytes, Unpacked::default());
    check_magic(rest, &MAGIC, compression)?;
    for _ in 0..MAX_PARTS {
        let member = GzDecoder::new(&mut rest);
        let before = unpacked.0.len() as u64;
        let room = unpacked.room();
        member
            .take(room + 1)
            .read_to_end(&mut unpacked.0)
            .map_err(|error| damaged_by(compression, &error))?;
        if unpacked.0.len() as u64 - before > room {
            return Err(DecompressError::TooLarge);
        }
        if rest.is_empty() {
            return Ok(unpacked.0);
        }
        if !rest.starts_with(&MAGIC) {
            return Err(trailing(compression, rest));
        }
    }
    Err(DecompressError::Parts)
}

fn unpack_zstd(bytes: &[u8]) -> Result<Vec<u8>, DecompressError> {
    /// The first of the skippable frames' sixteen magic numbers, which differ in their lowest four bits.
    const SKIPPABLE: u8 = 0x50;
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    let compression = Compression::Zstd;
    let (mut rest, mut unpacked) = (bytes, Unpacked::default());
    // pzstd begins with a skippable frame.
    let is_skippable =
        |bytes: &[u8]| matches!(bytes, [first, 0x2a, 0x4d, 0x18, ..] if first & 0xf0 == SKIPPABLE);
    if !is_skippable(rest) {
        check_magic(rest, &MAGIC, compression)?;
    }
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(MAX_WINDOW_BYTES);
    for _ in 0..MAX_PARTS {
        if !rest.starts_with(&MAGIC) && !is_skippable(rest) {
            return Err(trailing(compression, rest));
        }
        match decoder.reset(&mut rest) {
            Ok(()) => unpack_frame(&mut decoder, &mut rest, &mut unpacked)?,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                rest = rest
                    .get(length..)
                    .ok_or(DecompressError::Truncated { compression })?;
            }
            Err(error) => return Err(zstd_error(&error)),
        }
        if rest.is_empty() {
            return Ok(unpacked.0);
        }
    }
    Err(DecompressError::Parts)
}

/// One frame, whose header was read.
fn unpack_frame(
    decoder: &mut FrameDecoder,
    rest: &mut &[u8],
    unpacked: &mut Unpacked,
) -> Result<(), DecompressError> {
    let claimed = decoder.content_size();
    if claimed > unpacked.room() {
        return Err(DecompressError::TooLarge);
    }
    let before = unpacked.0.len();
    loop {
        decoder
            .decode_blocks(&mut *rest, BlockDecodingStrategy::UptoBytes(CHUNK))
            .map_err(|error| zstd_error(&error))?;
        unpacked.check(decoder.can_collect())?;
        decoder
            .collect_to_writer(&mut unpacked.0)
            .map_err(|error| damaged(Compression::Zstd, &error))?;
        if decoder.is_finished() && decoder.can_collect() == 0 {
            break;
        }
    }
    // Zero is also what a frame says that does not know.
    let length = (unpacked.0.len() - before) as u64;
    if claimed != 0 && claimed != length {
        let reason = format!("it has {length} bytes, and says {claimed}");
        return Err(damaged(Compression::Zstd, &reason));
    }
    let told = decoder.get_checksum_from_data();
    if told.is_some() && told != decoder.get_calculated_checksum() {
        return Err(damaged(Compression::Zstd, &"its checksum is another"));
    }
    Ok(())
}

fn check_magic(
    bytes: &[u8],
    magic: &[u8],
    compression: Compression,
) -> Result<(), DecompressError> {
    if bytes.starts_with(magic) {
        return Ok(());
    }
    match magic.starts_with(bytes) {
        true => Err(DecompressError::Truncated { compression }),
        false => Err(DecompressError::NotOfThatKind { compression }),
    }
}

fn trailing(compression: Compression, rest: &[u8]) -> DecompressError {
    DecompressError::Trailing {
        compression,
        count: rest.len(),
    }
}

/// The decoders tell an early end by an [`io::Error`] somewhere among the causes.
fn zstd_error(error: &FrameDecoderError) -> DecompressError {
    if let FrameDecoderError::WindowSizeTooBig { requested, .. } = error {
        return DecompressError::Window {
            window_bytes: *requested,
        };
    }
    if let FrameDecoderError::DictNotProvided { .. } = error {
        return DecompressError::Dictionary;
    }
    damaged_by(Compression::Zstd, error)
}

fn damaged_by(
    compression: Compression,
    error: &(dyn std::error::Error + 'static),
) -> DecompressError {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof) {
            return DecompressError::Truncated { compression };
        }
        cause = error.source();
    }
    damaged(compression, &error)
}

fn damaged(compression: Compression, reason: &dyn fmt::Display) -> DecompressError {
    DecompressError::Damaged {
        compression,
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    /// `printf 'component component component\\n' | zstd -19`, with its checksum.
    const VECTOR: [u8; 30] = [
        0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x68, 0x8d, 0x00, 0x00, 0x58, 0x63, 0x6f, 0x6d, 0x70, 0x6f,
        0x6e, 0x65, 0x6e, 0x74, 0x20, 0x0a, 0x01, 0x00, 0x4d, 0x0a, 0x12, 0x06, 0xc6, 0x9b, 0xb8,
    ];

    /// Looks like code: neither noise nor all the same.
    fn component() -> Vec<u8> {
        (0..300_000_u32)
            .flat_map(|number| (number / 7).to_le_bytes())
            .collect()
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(content).expect("memory");
        encoder.finish().expect("memory")
    }

    fn zstd(content: &[u8]) -> Vec<u8> {
        compress_to_vec(content, CompressionLevel::Fastest)
    }

    /// A frame of blocks that each say "this byte, so many times", with a window of that descriptor.
    fn zstd_of_zeros(window: u8, blocks: u32) -> Vec<u8> {
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, window];
        for block in 0..blocks {
            let is_last = u32::from(block + 1 == blocks);
            let header: u32 = is_last | 1 << 1 | (128 << 10) << 3;
            frame.extend_from_slice(&header.to_le_bytes()[..3]);
            frame.push(0);
        }
        frame
    }

    fn error(bytes: &[u8], compression: Compression) -> String {
        let unpacked = decompress(bytes.to_vec(), compression).map(|bytes| bytes.len());
        unpacked.expect_err("refused").to_string()
    }

    #[test]
    fn each_compression_gives_back_the_component() {
        let content = component();
        for (bytes, compression) in [
            (content.clone(), Compression::None),
            (zstd(&content), Compression::Zstd),
            (gzip(&content), Compression::Gzip),
        ] {
            assert!(decompress(bytes, compression).expect("sound") == content);
        }
    }

    #[test]
    fn what_zstd_itself_writes_is_understood() {
        let content = decompress(VECTOR.to_vec(), Compression::Zstd).expect("sound");
        assert_eq!(content, b"component component component\n");
        let mut other = VECTOR;
        *other.last_mut().expect("a checksum") ^= 1;
        let error = error(&other, Compression::Zstd);
        assert!(error.contains("checksum"), "{error}");
    }

    #[test]
    fn files_of_several_pieces_are_joined_as_their_tools_do() {
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];
        let frames = [&skippable[..], &zstd(b"one "), &skippable, &zstd(b"two")].concat();
        let joined = decompress(frames, Compression::Zstd).expect("sound");
        assert_eq!(joined, b"one two");
        let members = [gzip(b"one "), gzip(b"two")].concat();
        let joined = decompress(members, Compression::Gzip).expect("sound");
        assert_eq!(joined, b"one two");
        for (piece, compression) in [
            (zstd(b""), Compression::Zstd),
            (skippable.to_vec(), Compression::Zstd),
            (gzip(b""), Compression::Gzip),
        ] {
            let error = error(&piece.repeat(MAX_PARTS + 1), compression);
            assert!(error.contains("pieces"), "{error}");
        }
    }

    #[test]
    fn bombs_end_at_the_bound() {
        // 100 GiB in 3 MiB, and one that is just too large.
        let of_zstd = zstd_of_zeros(0x50, 800_000);
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::copy(&mut io::repeat(0).take((64 << 20) + 1), &mut encoder).expect("memory");
        let of_gzip = encoder.finish().expect("memory");
        for (bomb, compression) in [
            (of_zstd, Compression::Zstd),
            (of_gzip, Compression::Gzip),
            (vec![0; (64 << 20) + 1], Compression::None),
        ] {
            let error = error(&bomb, compression);
            assert!(
                error.contains("more than 67108864 bytes"),
                "{compression}: {error}"
            );
        }
        let whole = zstd_of_zeros(0x50, 512);
        let content = decompress(whole, Compression::Zstd).expect("just allowed");
        assert_eq!(content.len(), 64 << 20);
        // One frame at a time is within the bound.
        let frames = zstd_of_zeros(0x50, 256).repeat(3);
        assert!(error(&frames, Compression::Zstd).contains("more than"));
    }

    #[test]
    fn a_frame_gets_no_more_memory_than_a_window_because_it_asks_for_it() {
        for (descriptor, is_allowed) in [(0x68, true), (0x69, false), (0x88, false), (0xff, false)]
        {
            let frame = zstd_of_zeros(descriptor, 1);
            match is_allowed {
                true => assert_eq!(
                    decompress(frame, Compression::Zstd).expect("sound").len(),
                    128 << 10
                ),
                false => {
                    let error = error(&frame, Compression::Zstd);
                    assert!(
                        error.contains("window") || error.contains("Window"),
                        "{error}"
                    );
                }
            }
        }
        // A single segment that says it has 4 GiB.
        let frame = [
            0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0,
        ];
        let error = error(&frame, Compression::Zstd);
        assert!(error.contains("zstd -19"), "{error}");
    }

    #[test]
    fn an_end_in_the_midst_is_called_truncated_wherever_it_is() {
        let content = b"component component component component".repeat(40);
        for (bytes, compression) in [
            (zstd(&content), Compression::Zstd),
            (VECTOR.to_vec(), Compression::Zstd),
            (gzip(&content), Compression::Gzip),
        ] {
            for length in 0..bytes.len() {
                let error = error(&bytes[..length], compression);
                assert!(
                    error.contains("truncated"),
                    "{compression}, {length}: {error}"
                );
            }
        }
    }

    #[test]
    fn another_format_and_what_follows_the_end_are_told() {
        for (bytes, compression) in [
            (&b"\0asm\r\0\x01\0"[..], Compression::Zstd),
            (b"\0asm\r\0\x01\0", Compression::Gzip),
            (&gzip(b"x"), Compression::Zstd),
            (&zstd(b"x"), Compression::Gzip),
        ] {
            let error = error(bytes, compression);
            assert!(error.contains("does not begin as a"), "{error}");
        }
        for (bytes, compression) in [
            (zstd(b"component"), Compression::Zstd),
            (gzip(b"component"), Compression::Gzip),
        ] {
            let error = error(&[&bytes, &b"garbage"[..]].concat(), compression);
            assert!(error.contains("7 bytes follow the end"), "{error}");
        }
    }

    #[test]
    fn no_damage_stops_more_than_this_file() {
        let content = component();
        for (bytes, compression) in [
            (zstd(&content[..4000]), Compression::Zstd),
            (VECTOR.to_vec(), Compression::Zstd),
            (gzip(&content[..4000]), Compression::Gzip),
        ] {
            for position in 0..bytes.len().min(600) {
                for bit in 0..8 {
                    let mut damaged = bytes.clone();
                    damaged[position] ^= 1 << bit;
                    // Either is right: some bits say nothing. What counts is that it ends, without a panic.
                    let _ = decompress(damaged, compression);
                }
            }
        }
    }
}
