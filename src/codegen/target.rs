//! The instruction set to compile for: a [`Target`] is a value, given to
//! [`emit`](crate::codegen::emit).
//!
//! ```
//! # use nnc::codegen::Target;
//! let target = Target::from_name("avx2").unwrap();
//! assert_eq!(target.name(), "avx2");
//! ```
//!
//! Only [`Target::detect`] and [`Target::supported_on_host`] ask the machine that runs the
//! compiler; nothing below them does, so the text of compiled code never depends on the host.
//! The results of compiled code do not depend on the target either.

use std::hash::{Hash, Hasher};

use cranelift_codegen::isa::{self, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use target_lexicon::triple;

use crate::codegen::isa::{Avx2, Avx512, BlockLimits, WideIsa};

/// The family of processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

impl Arch {
    /// The name that people know.
    pub fn name(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86-64",
            Arch::Aarch64 => "AArch64",
        }
    }
}

/// An instruction set with the features that code may use: a row of [`Target::ALL`], known by its
/// name.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    name: &'static str,
    about: Option<&'static str>,
    /// The family of processors.
    pub arch: Arch,
    /// Whether there is an instruction for `a·b + c` with one rounding. Without it that costs a
    /// call for each number: right, and slow.
    pub fma: bool,
    wide: Option<&'static dyn WideIsa>,
    assumed_speed: f64,
}

impl Target {
    /// The architecture that this compiler was built for.
    const BUILT_FOR: Arch =
        if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 };

    /// Every target, the fastest first. `portable` is for the architecture that the compiler was
    /// built for.
    pub const ALL: [Target; 4] = [
        Target {
            name: "avx512",
            about: Some("AVX-512: 512-bit vectors"),
            arch: Arch::X86_64,
            fma: true,
            wide: Some(&Avx512),
            assumed_speed: 2e10,
        },
        Target {
            name: "avx2",
            about: Some("AVX2 and FMA: 256-bit vectors"),
            arch: Arch::X86_64,
            fma: true,
            wide: Some(&Avx2),
            assumed_speed: 2e10,
        },
        Target {
            name: "portable",
            about: Some("128-bit vectors, in Cranelift's own code"),
            arch: Target::BUILT_FOR,
            fma: true,
            wide: None,
            assumed_speed: 5e9,
        },
        // Products are added by a function, so that they are rounded as an instruction would.
        Target {
            name: "portable-no-fma",
            about: None,
            arch: Arch::X86_64,
            fma: false,
            wide: None,
            assumed_speed: 2e8,
        },
    ];

    /// Targets of other processors than the one that this compiler was built for: code for them can be
    /// written into a file, but not run here.
    pub const FOREIGN: &[Target] = &[
        #[cfg(all(feature = "arm64", not(target_arch = "aarch64")))]
        Target {
            name: "aarch64",
            about: Some("64-bit Arm: 128-bit vectors; only to export an object file"),
            arch: Arch::Aarch64,
            fma: true,
            wide: None,
            assumed_speed: 5e9,
        },
    ];

    /// The name by which users choose it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its line in the help of the command line, which offers it only if there is one.
    pub fn about(&self) -> Option<&'static str> {
        self.about
    }

    /// Operations a second, about, that its code makes on one thread of a slow machine.
    pub fn assumed_speed(&self) -> f64 {
        self.assumed_speed
    }

    /// The target of that name: `avx512`, `avx2`, `portable`, or `portable-no-fma` (x86-64
    /// without FMA instructions); or one of [`Target::FOREIGN`].
    pub fn from_name(name: &str) -> Option<Target> {
        let all = Target::ALL.iter().chain(Target::FOREIGN);
        all.copied().find(|target| target.name() == name)
    }

    /// The fastest target that the machine running the compiler supports.
    ///
    /// # Panics
    ///
    /// On x86-64 without SSE 4.1 (before 2008) and on other architectures: there is none.
    pub fn detect() -> Target {
        Target::ALL
            .into_iter()
            .find(Target::supported_on_host)
            .expect("a processor with SSE 4.1 or NEON")
    }

    /// Whether the machine running the compiler can run code for this target.
    pub fn supported_on_host(&self) -> bool {
        #[cfg(target_arch = "x86_64")]
        let (narrow, fma) = (
            is_x86_feature_detected!("sse4.1"),
            is_x86_feature_detected!("avx")
                && is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma"),
        );
        #[cfg(not(target_arch = "x86_64"))]
        let (narrow, fma) = (true, true);
        let wide = self.wide.is_none_or(|isa| isa.on_host());
        self.arch == Target::BUILT_FOR && narrow && wide && (fma || !self.fma)
    }

    /// The instruction set of contractions and long element-wise loops where it is one of wide
    /// registers; without it both have 128-bit vectors: SSE 4.1 on x86-64, NEON on AArch64.
    pub fn wide(&self) -> Option<&'static dyn WideIsa> {
        self.wide
    }

    /// The register blocks of contractions that fit its registers.
    pub(crate) fn block_limits(&self) -> BlockLimits {
        // Of 16 registers, or 32, some hold a row of B and a number of A.
        match (self.wide, self.arch) {
            (Some(wide), _) => wide.limits(),
            // With more sums Cranelift spills some: measured, 8×4 is 1.8 times as fast as 6×8.
            (None, Arch::X86_64) => BlockLimits { lanes: 4, rows: &[8, 4] },
            (None, Arch::Aarch64) => BlockLimits { lanes: 4, rows: &[20, 12, 8] },
        }
    }

    /// Whether a comparison of vectors may read one of them from memory at any address. Without AVX
    /// (`cmpps`) it must be a multiple of 16.
    pub(crate) fn compares_memory_anywhere(&self) -> bool {
        self.arch == Arch::Aarch64 || self.fma
    }

    /// Cranelift's description of this target, for code that is to be fast.
    pub(crate) fn cranelift_isa(&self) -> OwnedTargetIsa {
        self.cranelift_isa_with(("speed", "backtracking"))
    }

    /// The same for code that is to be compiled fast: a step's list of calls, each made once.
    pub(crate) fn cranelift_isa_for_calls(&self) -> OwnedTargetIsa {
        self.cranelift_isa_with(("none", "single_pass"))
    }

    /// The same for a file that a linker reads: position-independent, for a system with ELF files.
    pub(crate) fn linkable_isa(&self) -> OwnedTargetIsa {
        let triple = match self.arch {
            Arch::X86_64 => triple!("x86_64-unknown-linux-gnu"),
            Arch::Aarch64 => triple!("aarch64-unknown-linux-gnu"),
        };
        let mut flags = settings_builder(("speed", "backtracking"));
        flags.set("is_pic", "true").expect("a setting of Cranelift's");
        let builder = isa::lookup(triple).expect("a back end of this compiler's");
        builder.finish(settings::Flags::new(flags)).expect("settings that fit the target")
    }

    fn cranelift_isa_with(&self, effort: (&str, &str)) -> OwnedTargetIsa {
        let mut builder = match self.arch {
            Arch::X86_64 => isa::lookup(triple!("x86_64")),
            Arch::Aarch64 => isa::lookup(triple!("aarch64")),
        }
        .expect("a back end for x86-64, and for Arm where the compiler runs there");
        if self.arch == Arch::X86_64 {
            for feature in self.x86_features() {
                builder.enable(feature).expect("a feature of Cranelift's x86-64");
            }
        }
        builder.finish(settings(effort)).expect("settings that fit the target")
    }

    fn x86_features(&self) -> &'static [&'static str] {
        const SSE: [&str; 3] = ["has_sse3", "has_ssse3", "has_sse41"];
        const FMA: [&str; 7] =
            ["has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_avx", "has_avx2", "has_fma"];
        if self.fma { &FMA } else { &SSE }
    }
}

/// Cranelift's settings at a level of optimisation and with an algorithm for registers.
fn settings(effort: (&str, &str)) -> settings::Flags {
    settings::Flags::new(settings_builder(effort))
}

fn settings_builder((opt_level, regalloc): (&str, &str)) -> settings::Builder {
    let mut flags = settings::builder();
    let verify = if cfg!(debug_assertions) { "true" } else { "false" };
    for (name, value) in [
        ("opt_level", opt_level),
        ("regalloc_algorithm", regalloc),
        ("enable_verifier", verify),
        ("preserve_frame_pointers", "false"),
        ("enable_probestack", "false"),
        ("unwind_info", "false"),
        ("use_colocated_libcalls", "false"),
        ("is_pic", "false"),
    ] {
        flags.set(name, value).expect("a setting of Cranelift's");
    }
    flags
}

impl PartialEq for Target {
    fn eq(&self, other: &Target) -> bool {
        self.name == other.name
    }
}

impl Eq for Target {}

impl Hash for Target {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_lead_back() {
        for target in Target::ALL {
            assert_eq!(Target::from_name(target.name()), Some(target));
        }
        assert_eq!(Target::from_name("sparc"), None);
    }

    #[test]
    fn the_detected_target_is_supported_and_describes_itself_to_cranelift() {
        assert!(Target::detect().supported_on_host());
        for target in Target::ALL {
            let isa = target.cranelift_isa();
            assert_eq!(
                isa.triple().architecture.to_string(),
                match target.arch {
                    Arch::X86_64 => "x86_64",
                    Arch::Aarch64 => "aarch64",
                }
            );
        }
    }
}
