//! The state of each byte of a block: its owner, and who has touched it in this epoch.
//!
//! Two reads are remembered, of different threads: a write by any thread then meets a read of
//! another, if there was one. Blocks that hold only elements of four bytes remember by fours.

use std::ops::Range;

use crate::base::entity::Entity;
use crate::loops::program::{BufferId, KernelId};

/// An access, as far as messages tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TracedAccess {
    /// The thread that touches.
    pub(super) thread: usize,
    /// The kernel.
    pub(super) kernel: KernelId,
    /// The buffer.
    pub(super) buffer: BufferId,
}

/// The accesses of an epoch.
#[derive(Clone, Debug, Default)]
pub(super) struct Accesses(Vec<TracedAccess>);

/// A number for an access: its place among those of the epoch, and its thread, in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AccessId(u32);

/// No access.
const NONE: AccessId = AccessId(0);
/// Bits of a thread's number.
const THREAD_BITS: u32 = 8;

impl Accesses {
    /// Threads at most.
    pub(super) const THREADS: usize = 1 << THREAD_BITS;

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn number(&mut self, access: TracedAccess) -> AccessId {
        self.0.push(access);
        let place = u32::try_from(self.0.len()).expect("fewer than 2^24 runs in an epoch");
        AccessId(place << THREAD_BITS | access.thread as u32)
    }

    pub(super) fn get(&self, number: AccessId) -> TracedAccess {
        self.0[(number.0 >> THREAD_BITS) as usize - 1]
    }
}

impl AccessId {
    /// Whether this is an access of another thread than that one is.
    fn is_of_other(self, access: AccessId) -> bool {
        self != NONE && (self.0 ^ access.0) & ((1 << THREAD_BITS) - 1) != 0
    }
}

/// Owner and accesses of one byte.
#[derive(Clone, Copy, Debug, Default)]
struct Byte {
    /// The epoch that accesses are of.
    epoch: u32,
    write: AccessId,
    read: AccessId,
    /// A read of another thread than `read`.
    second_read: AccessId,
    /// One more than the number of the buffer that last wrote it in this step; 0 for none.
    owner: u32,
}

/// Why a byte must not be touched.
#[derive(Clone, Copy, Debug)]
pub(super) enum Conflict {
    /// Another thread has touched it in this epoch, and this or that access writes.
    Race {
        /// The access that writes.
        write: AccessId,
        /// The other.
        other: AccessId,
    },
    /// It is read through one buffer, and was last written through another, or never.
    Clobbered(Option<BufferId>),
}

/// The memory of what was touched.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    bytes: Vec<Byte>,
    /// So many bytes are remembered as one.
    granule: usize,
    epoch: u32,
}

impl Trace {
    pub(super) fn new(size: usize, granule: usize) -> Self {
        let bytes = vec![Byte::default(); size.div_ceil(granule)];
        Trace { bytes, granule, epoch: 1 }
    }

    /// A new step: nobody owns anything.
    pub(super) fn begin(&mut self) {
        self.bytes.iter_mut().for_each(|byte| byte.owner = 0);
        self.barrier();
    }

    pub(super) fn barrier(&mut self) {
        self.epoch += 1;
    }

    fn bytes(&mut self, range: Range<usize>) -> &mut [Byte] {
        &mut self.bytes[range.start / self.granule..range.end.div_ceil(self.granule)]
    }

    /// Says whose bytes these are.
    pub(super) fn own(&mut self, range: Range<usize>, buffer: BufferId) {
        self.bytes(range).iter_mut().for_each(|byte| byte.owner = owner(buffer));
    }

    pub(super) fn read(
        &mut self,
        range: Range<usize>,
        buffer: BufferId,
        access: AccessId,
    ) -> Result<(), Conflict> {
        let epoch = self.epoch;
        for byte in self.bytes(range) {
            byte.renew(epoch);
            if byte.write.is_of_other(access) {
                return Err(Conflict::Race { write: byte.write, other: access });
            }
            if byte.owner != owner(buffer) {
                let owner = byte.owner.checked_sub(1);
                let owner = owner.map(|index| BufferId::from_index(index as usize));
                return Err(Conflict::Clobbered(owner));
            }
            if byte.read == NONE {
                byte.read = access;
            } else if byte.read.is_of_other(access) {
                byte.second_read = access;
            }
        }
        Ok(())
    }

    pub(super) fn write(
        &mut self,
        range: Range<usize>,
        buffer: BufferId,
        access: AccessId,
    ) -> Result<(), Conflict> {
        let epoch = self.epoch;
        for byte in self.bytes(range) {
            byte.renew(epoch);
            for other in [byte.write, byte.read, byte.second_read] {
                if other.is_of_other(access) {
                    return Err(Conflict::Race { write: access, other });
                }
            }
            byte.write = access;
            byte.owner = owner(buffer);
        }
        Ok(())
    }
}

fn owner(buffer: BufferId) -> u32 {
    buffer.index() as u32 + 1
}

impl Byte {
    fn renew(&mut self, epoch: u32) {
        if self.epoch != epoch {
            *self = Byte { epoch, owner: self.owner, ..Byte::default() };
        }
    }
}
