//! Where code and buffers live: pages, their rights, and that they are given back.

use nnc::codegen::jit::link;
use nnc::codegen::{Target, emit, object};
use nnc::runtime::program::{BlockBytes, RunMemory};

use crate::{planned, sound, targets};

const STEP: &str = r#"program "tile" {
    b0 = pinned f32[1024] "a"
    b1 = pinned f32[1024] "b"
    b2 = pinned f32[1024] "c"
    kernel k0 "dense" parts 2 (s0: f32[1024], s1: f32[1024], s2: f32[1024]) {
        parts i0 in 0..2 {
            tile n 32 {
                row 16 a 32 c 32
                sum 32 a 1 b 32
                c = s2[512*i0]
                a = s0[512*i0]
                b = s1[0]
            }
            vector i1 in 0..512 {
                r0: f32 = load s2[512*i0 + i1]
                r1: f32 = tanh r0
                store s2[512*i0 + i1] = r1
            }
        }
    }
    step {
        run k0(b0, b1, b2)
    }
}"#;

#[cfg(target_os = "linux")]
mod linux {
    use super::*;

    fn lines_of_map(contains: impl Fn(&str) -> bool) -> Vec<String> {
        let map = std::fs::read_to_string("/proc/self/maps").expect("the process's map");
        map.lines().filter(|line| contains(line)).map(str::to_owned).collect()
    }

    fn rights(line: &str) -> &str {
        line.split_whitespace().nth(1).expect("rights")
    }

    #[test]
    fn no_page_is_writable_and_executable() {
        let both = |line: &str| rights(line).contains('w') && rights(line).contains('x');
        let program = sound(planned(STEP));
        let code = link(&emit(&program, &Target::detect()));
        assert_eq!(lines_of_map(both), Vec::<String>::new(), "while alive");
        let address = code.step() as usize;
        let holds = |line: &str| {
            let (from, to) = line.split_whitespace().next().unwrap().split_once('-').unwrap();
            let number = |text| usize::from_str_radix(text, 16).expect("an address");
            (number(from)..number(to)).contains(&address)
        };
        let pages = lines_of_map(holds);
        assert_eq!(pages.len(), 1);
        assert!(rights(&pages[0]).starts_with("r-x"), "{}", pages[0]);
        drop(code);
        assert_eq!(lines_of_map(both), Vec::<String>::new(), "after");
    }

    /// Bytes of executable pages that are of no file.
    fn executable() -> usize {
        let anonymous = |line: &str| rights(line).contains('x') && !line.contains('/');
        let size = |line: String| {
            let (from, to) = line.split_whitespace().next().unwrap().split_once('-').unwrap();
            let number = |text| usize::from_str_radix(text, 16).expect("an address");
            number(to) - number(from)
        };
        lines_of_map(anonymous).into_iter().map(size).sum()
    }

    #[test]
    fn code_is_given_back() {
        let program = sound(planned(STEP));
        let before = executable();
        for _ in 0..200 {
            let code = link(&emit(&program, &Target::detect()));
            assert!(executable() > 0 && code.step() as usize != 0);
        }
        // Other tests have code meanwhile, but not that of 200 programs.
        assert!(executable() < before + 200 * 4096, "{before} bytes, then {}", executable());
    }
}

#[test]
fn memory_is_aligned_zeroed_and_as_large_as_said() {
    for local in [0, 1, 5000, 9 << 20] {
        let blocks = BlockBytes { global: 100, local, thread: 64 };
        let memory = RunMemory::new(blocks, 3);
        assert_eq!(memory.bytes(), blocks.total(3));
        assert_eq!(memory.threads(), 3);
        assert!(memory.bytes() >= 100 + local + 3 * 64);
    }
}

#[test]
fn objects_print_for_targets_that_this_machine_may_lack() {
    let program = sound(planned(STEP));
    for target in Target::ALL {
        let text = object::assembly_text(&emit(&program, &target));
        assert!(text.contains("kernel k0 dense"), "{text}");
        let wide = match target.name() {
            "avx512" => "zmm",
            "avx2" => "ymm",
            _ => "",
        };
        assert!(text.contains(wide), "{text}");
        assert!(!text.contains("(bad)"), "{text}");
        let clif = object::clif_text(&program, &target);
        let vectors = !wide.is_empty() || clif.contains("f32x4");
        assert!(clif.contains("; kernel k0 dense") && vectors, "{clif}");
    }
    assert!(targets().count() >= 1);
}
