//! `nnc verify` and `nnc grad`: sound models pass, and what cannot be tried is told.

use super::*;

/// The gradient of a bias before `batch_norm` is 0; what rounding leaves of it is divided by the
/// root of `eps`, and is no error of the compiled step.
#[test]
fn verify_knows_what_rounding_makes_of_a_zero() {
    let folder = Folder::new();
    let zeros = "model net(x: f32[N, 6]) -> f32[N, 3] {
    x |> dense(6, init: zeros) |> batch_norm |> dense(3)
}
train net {
    loss = cross_entropy
}
";
    std::fs::write(folder.path("zeros.nn"), zeros).unwrap();
    for seed in ["0", "1", "2", "3"] {
        let said = folder.run(&["verify", "zeros.nn", "--seed", seed, "--json"], 0);
        assert_eq!(said.json()[0]["passed"], true, "{}", said.out);
    }
}

/// What `data --batch` writes, `grad` takes: of mixtures too, whose loss is that of both labels.
#[test]
fn a_batch_of_mixtures_has_a_gradient() {
    let folder = Folder::new();
    let program = PROGRAM.replacen('\n', " |> mixup(0.4)\n", 1);
    std::fs::write(folder.path("net.nn"), program).unwrap();
    folder.run(&["data", "net.nn", "--batch", "b.safetensors", "--samples", "6"], 0);
    let mut losses = Vec::new();
    for engine in ["jit", "graph"] {
        let args = ["grad", "net.nn", "--tensors", "b.safetensors", "--out", "g.safetensors"];
        folder.run(&[&args[..], &["--engine", engine]].concat(), 0);
        let made = nnc::runtime::weights::load(&folder.path("g.safetensors")).unwrap();
        let of = |name: &str| made.iter().find(|(it, _)| it == name).unwrap().1.clone();
        losses.push(of("loss").as_f32()[0]);
        let given = nnc::runtime::weights::load(&folder.path("b.safetensors")).unwrap();
        let of_batch = |name: &str| given.iter().find(|(it, _)| it == name).unwrap().1.clone();
        let numbers = |tensor: nnc::base::tensor::Tensor| match tensor.data {
            nnc::base::tensor::Data::I32(numbers) => numbers,
            _ => panic!("labels are i32"),
        };
        let (first, second) =
            (numbers(of_batch("input.label")), numbers(of_batch("input.label_2")));
        let (mix, output) = (of_batch("input.mix"), of("output"));
        let rows = output.as_f32().chunks(10).zip(mix.as_f32()).zip(first.iter().zip(&second));
        let wanted: f64 = rows
            .map(|((row, &mix), (&a, &b))| {
                let total = row.iter().map(|it| f64::from(*it).exp()).sum::<f64>().ln();
                let loss = |class: i32| total - f64::from(row[class as usize]);
                f64::from(mix) * loss(a) + (1.0 - f64::from(mix)) * loss(b)
            })
            .sum::<f64>()
            / 6.0;
        assert!(
            (f64::from(losses[losses.len() - 1]) - wanted).abs() < 1e-4,
            "{losses:?}, {wanted}"
        );
    }
}

#[test]
fn verify_says_what_the_interpreter_takes_too_long_for() {
    let folder = Folder::new();
    let wide = "model net(image: f32[N, 64, 64, 64]) -> f32[N, 64] {
    image |> conv(64, 3, pad: 1) |> relu |> conv(64, 3, pad: 1) |> mean(axis: [1, 2])
}

train net {
    loss = cross_entropy
}
";
    std::fs::write(folder.path("wide.nn"), wide).unwrap();
    let report = &folder.run(&["verify", "wide.nn", "--json"], 0).json()[0];
    let check = |name: &str| {
        let checks = report["checks"].as_array().expect("checks");
        checks.iter().find(|check| check["name"] == name).expect("a check of that name").clone()
    };
    for name in ["gradients", "interpreter"] {
        let check = check(name);
        assert_eq!(check["verdict"], "skipped", "{check}");
        let what = check["what"].as_str().expect("a reason");
        assert!(what.contains("too many for the interpreter (at most 3000)"), "{what}");
    }
    let targets = check("targets");
    let what = targets["what"].as_str().expect("targets");
    assert!(what.ends_with("left out, for time (`--thorough` checks all)"), "{what}");
}

#[test]
fn verify_passes_on_sound_models() {
    let folder = Folder::new();
    let deep = "model net(image: f32[N, 12, 12, 2]) -> f32[N, 4] {
    image |> conv(4, 3, pad: 1) |> batch_norm |> relu |> max_pool(2) |> flatten |> dropout(0.2) |> dense(4)
}

train net {
    loss      = cross_entropy
    optimizer = adam(lr: 1e-3)
    metrics   = [accuracy]
    clip_norm = 1.0
    ema       = 0.9
}
";
    std::fs::write(folder.path("deep.nn"), deep).unwrap();
    for file in ["net.nn", "deep.nn"] {
        let said = folder.run(&["verify", file, "--json"], 0);
        let report = &said.json()[0];
        assert_eq!(report["passed"], true, "{report}");
        let checks = report["checks"].as_array().expect("checks");
        assert_eq!(checks.len(), 7);
        for check in checks {
            assert_eq!(check["verdict"], "passed", "{file}: {check}");
        }
    }
}
