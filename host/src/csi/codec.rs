//! Messages as bytes, by buffers of the size that CSI's messages have.
//!
//! By itself tonic gives each call two of 8 KiB, whatever it brings; each has to be found, and wiped when it is given back.
//! They grow where a message needs more.

use std::fmt;
use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::ProstCodec;

/// Most messages have a few hundred bytes; what an allocator keeps at hand is no larger.
const BUFFER_BYTES: usize = 1024;

/// Where one answer has several messages, which none of CSI has: when they are sent.
const SENT_AT_BYTES: usize = 32 << 10;

/// What the generated services use.
pub(super) struct SmallMessages<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for SmallMessages<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> fmt::Debug for SmallMessages<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmallMessages")
    }
}

impl<T, U> Codec for SmallMessages<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = <ProstCodec<T, U> as Codec>::Encoder;
    type Decoder = <ProstCodec<T, U> as Codec>::Decoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(buffers())
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(buffers())
    }
}

fn buffers() -> BufferSettings {
    BufferSettings::new(BUFFER_BYTES, SENT_AT_BYTES)
}
