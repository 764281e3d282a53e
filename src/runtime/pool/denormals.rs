//! Denormals: while steps compute, they count as 0 on every thread.
//!
//! ```text
//! let flushed = FlushDenormals::new();     // 1e-38 * 0.1 is 0
//! drop(flushed);                           // 1e-38 * 0.1 is 1e-39 again
//! ```
//!
//! One denormal operand makes an operation a hundred times slower, and networks whose gradients
//! fade meet millions of them.

/// While alive, this thread's arithmetic takes denormals for zero and gives zero for them.
pub(super) struct FlushDenormals {
    saved: ControlWord,
}

impl FlushDenormals {
    /// Flushes from now on.
    pub(super) fn new() -> FlushDenormals {
        let saved = control_word();
        set_control_word(saved | FLUSH);
        FlushDenormals { saved }
    }
}

impl Drop for FlushDenormals {
    fn drop(&mut self) {
        set_control_word(self.saved);
    }
}

#[cfg(target_arch = "x86_64")]
use x86_64::{ControlWord, FLUSH, control_word, set_control_word};
#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::asm;

    pub type ControlWord = u32;
    /// Flush to zero, and denormals are zero.
    pub const FLUSH: ControlWord = 1 << 15 | 1 << 6;

    pub fn control_word() -> ControlWord {
        let mut word: ControlWord = 0;
        // SAFETY: every x86-64 processor has MXCSR; the four bytes it is written to are ours.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack)) };
        word
    }

    pub fn set_control_word(word: ControlWord) {
        // SAFETY: the word came from `control_word`, with at most flush bits added. Rounding and
        // masks stay as they were; code that runs meanwhile expects denormals to be flushed.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const word, options(nostack, readonly)) };
    }
}

#[cfg(target_arch = "aarch64")]
use aarch64::{ControlWord, FLUSH, control_word, set_control_word};
#[cfg(target_arch = "aarch64")]
mod aarch64 {
    use std::arch::asm;

    pub type ControlWord = u64;
    /// Flush to zero.
    pub const FLUSH: ControlWord = 1 << 24;

    pub fn control_word() -> ControlWord {
        let word: ControlWord;
        // SAFETY: reading FPCR has no effect.
        unsafe { asm!("mrs {}, fpcr", out(reg) word, options(nostack, nomem)) };
        word
    }

    pub fn set_control_word(word: ControlWord) {
        // SAFETY: the word came from `control_word`, with at most the flush bit added.
        unsafe { asm!("msr fpcr, {}", in(reg) word, options(nostack, nomem)) };
    }
}

#[cfg(test)]
mod tests {
    use super::super::Pool;
    use super::control_word;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn denormals_are_zero_inside_and_the_mode_is_restored() {
        let before = control_word();
        let mut pool = Pool::new(2);
        let nonzero = AtomicUsize::new(0);
        pool.run(|_, _| {
            let small = std::hint::black_box(f32::MIN_POSITIVE);
            if std::hint::black_box(small * 0.5).to_bits() != 0 {
                nonzero.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert_eq!(nonzero.into_inner(), 0);
        assert_eq!(control_word(), before);
        let small = std::hint::black_box(f32::MIN_POSITIVE);
        assert_ne!(std::hint::black_box(small * 0.5).to_bits(), 0);
    }
}
