//! The announcement of a task at a gate.

/// What a task sends to its gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) key: u64,
    pub(crate) label: u32,
    pub(crate) process: u32,
    pub(crate) thread: u64,
    /// Whether the task waits until it is released.
    pub(crate) waits: bool,
}

impl Hello {
    pub(crate) const LENGTH: usize = 8 + 4 + 4 + 8 + 1;

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Hello::LENGTH);
        bytes.extend_from_slice(&self.key.to_le_bytes());
        bytes.extend_from_slice(&self.label.to_le_bytes());
        bytes.extend_from_slice(&self.process.to_le_bytes());
        bytes.extend_from_slice(&self.thread.to_le_bytes());
        bytes.push(u8::from(self.waits));
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; Hello::LENGTH]) -> Hello {
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
        Hello {
            key: number(&bytes[..8]),
            label: number(&bytes[8..12]) as u32,
            process: number(&bytes[12..16]) as u32,
            thread: number(&bytes[16..24]),
            waits: bytes[24] == 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_is_decoded_as_it_was_encoded() {
        let hello = Hello { key: u64::MAX - 1, label: 7, process: u32::MAX, thread: 1 << 40, waits: true };
        let bytes = hello.to_bytes().try_into().expect("it has this length");
        assert_eq!(Hello::from_bytes(&bytes), hello);
    }
}
