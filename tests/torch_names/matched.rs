//! What is matched: convolutions with their norms, blocks that repeat, recurrent layers, attention.

use super::{StateDict, begun, folder, holds, program, value};
use nnc::base::tensor::Tensor;

const RESIDUAL: &str = "layer conv_norm(x: f32[N, H, W, C], filters: int, size: int, stride: int = 1) -> f32[N, OH, OW, filters] {
    x |> conv(filters, size, stride: stride, pad: (size - 1) / 2, bias: false) |> batch_norm
}
layer bottleneck(x: f32[N, H, W, C], filters: int, stride: int = 1) -> f32[N, OH, OW, 4 * filters] {
    let y = x |> conv_norm(filters, 1) |> relu |> conv_norm(filters, 3, stride: stride) |> relu
              |> conv_norm(4 * filters, 1)
    let z = if stride == 1 and C == 4 * filters { x } else { x |> conv_norm(4 * filters, 1, stride: stride) }
    relu(y + z)
}
";

const RESNET: &str = "image |> conv_norm(4, 3, stride: 2) |> relu |> bottleneck(4) |> bottleneck(4)\n        \
     |> bottleneck(8, stride: 2) |> global_avg_pool |> dense(10)";

/// A small network of bottlenecks under torchvision's names.
pub(super) fn resnet(classes: usize) -> StateDict {
    let mut dict = StateDict::default().conv("conv1", [4, 1, 3, 3]).norm("bn1", 4);
    for (block, inputs, width) in [("layer1.0", 4, 4), ("layer1.1", 16, 4), ("layer2.0", 16, 8)] {
        let of = |part: &str| format!("{block}.{part}");
        dict = dict
            .conv(&of("conv1"), [width, inputs, 1, 1])
            .norm(&of("bn1"), width)
            .conv(&of("conv2"), [width, width, 3, 3])
            .norm(&of("bn2"), width)
            .conv(&of("conv3"), [4 * width, width, 1, 1])
            .norm(&of("bn3"), 4 * width);
        if inputs != 4 * width {
            let [conv, norm] = ["downsample.0", "downsample.1"].map(of);
            dict = dict.conv(&conv, [4 * width, inputs, 1, 1]).norm(&norm, 4 * width);
        }
    }
    dict.linear("fc", &[classes, 32])
}

pub(super) fn resnet_program(arguments: &str) -> String {
    program(RESIDUAL, RESNET, arguments)
}

/// Where the last convolution of a block and that of its shortcut have one shape, only one of them lies
/// behind the convolution before.
#[test]
fn a_residual_network_needs_no_rules() {
    let dict = resnet(10);
    let run = begun(&resnet_program(""), &dict).unwrap_or_else(|failure| panic!("{failure:?}"));
    let pairs = [
        ("conv_norm.conv.weight", "conv1.weight"),
        ("conv_norm.batch_norm.running_var", "bn1.running_var"),
        ("bottleneck.conv_norm.conv.weight", "layer1.0.conv1.weight"),
        ("bottleneck.conv_norm.batch_norm.bias", "layer1.0.bn1.bias"),
        ("bottleneck.conv_norm_3.conv.weight", "layer1.0.conv3.weight"),
        ("bottleneck.conv_norm_3.batch_norm.running_mean", "layer1.0.bn3.running_mean"),
        ("bottleneck.conv_norm_4.conv.weight", "layer1.0.downsample.0.weight"),
        ("bottleneck.conv_norm_4.batch_norm.weight", "layer1.0.downsample.1.weight"),
        ("bottleneck_2.conv_norm.batch_norm.weight", "layer1.1.bn1.weight"),
        ("bottleneck_3.conv_norm_2.conv.weight", "layer2.0.conv2.weight"),
        ("dense.weight", "fc.weight"),
        ("dense.bias", "fc.bias"),
    ];
    holds(&run, &dict, &pairs);
    // Linear's [out, in] is [in, out] here.
    assert_eq!(value(&run, "dense.weight").as_f32()[1], dict.find("fc.weight").as_f32()[32]);
}

/// The numbers of names order them, not the file, which has 10 before 2.
#[test]
fn blocks_come_in_the_order_of_their_numbers() {
    let items = "layer block(x: f32[N, D]) -> f32[N, D] { x + (x |> layer_norm |> dense(D)) }";
    let body = "image |> flatten |> dense(6) |> repeat 12 { block } |> dense(10)";
    let mut dict = StateDict::default().linear("embed.proj", &[6, 784]);
    for block in 0..12 {
        dict = dict
            .linear(&format!("blocks.{block}.norm"), &[6])
            .linear(&format!("blocks.{block}.mlp.fc"), &[6, 6]);
    }
    let dict = dict.linear("head", &[10, 6]);
    let run = begun(&program(items, body, ""), &dict).unwrap_or_else(|it| panic!("{it:?}"));
    let pairs = [
        ("block.dense.weight", "blocks.0.mlp.fc.weight"),
        ("block_2.layer_norm.bias", "blocks.1.norm.bias"),
        ("block_3.dense.bias", "blocks.2.mlp.fc.bias"),
        ("block_12.dense.weight", "blocks.11.mlp.fc.weight"),
    ];
    holds(&run, &dict, &pairs);
}

/// A program without layers of its own has no groups of paths: the names and the graph tell.
#[test]
fn a_flat_program_is_matched_too() {
    let body = "let a = image |> conv(4, 3, bias: false) |> batch_norm |> relu
    let b = a |> conv(4, 3, pad: 1, bias: false) |> batch_norm |> relu |> conv(4, 3, pad: 1, bias: false) |> batch_norm
    relu(a + b) |> global_avg_pool |> dense(10)";
    let dict = StateDict::default()
        .conv("conv1", [4, 1, 3, 3])
        .norm("bn1", 4)
        .conv("layer1.0.conv1", [4, 4, 3, 3])
        .norm("layer1.0.bn1", 4)
        .conv("layer1.0.conv2", [4, 4, 3, 3])
        .norm("layer1.0.bn2", 4)
        .linear("fc", &[10, 4]);
    let run = begun(&program("", body, ""), &dict).unwrap_or_else(|it| panic!("{it:?}"));
    let pairs = [
        ("batch_norm.weight", "bn1.weight"),
        ("conv_2.weight", "layer1.0.conv1.weight"),
        ("batch_norm_2.running_mean", "layer1.0.bn1.running_mean"),
        ("batch_norm_3.bias", "layer1.0.bn2.bias"),
    ];
    holds(&run, &dict, &pairs);
}

/// The two biases of `LSTM` and `RNN` are added up; `GRU` keeps both.
#[test]
fn recurrent_layers_take_packed_weights() {
    let body = "reshape(image, [N, 28, 28]) |> lstm(5) |> gru(4) |> mean(axis: 1) |> dense(10)";
    let mut dict = StateDict::default();
    for (name, gates, units, inputs) in [("encoder.lstm", 4, 5, 28), ("encoder.gru", 3, 4, 5)] {
        let rows = gates * units;
        dict = dict
            .tensor(&format!("{name}.weight_ih_l0"), &[rows, inputs])
            .tensor(&format!("{name}.weight_hh_l0"), &[rows, units])
            .tensor(&format!("{name}.bias_ih_l0"), &[rows])
            .tensor(&format!("{name}.bias_hh_l0"), &[rows]);
    }
    let dict = dict.linear("head", &[10, 4]);
    let run = begun(&program("", body, ""), &dict).unwrap_or_else(|it| panic!("{it:?}"));
    let pairs = [
        ("lstm.weight", "encoder.lstm.weight_ih_l0"),
        ("lstm.recurrent", "encoder.lstm.weight_hh_l0"),
        ("gru.recurrent", "encoder.gru.weight_hh_l0"),
        ("gru.bias", "encoder.gru.bias_ih_l0"),
        ("gru.recurrent_bias", "encoder.gru.bias_hh_l0"),
    ];
    holds(&run, &dict, &pairs);
    let [ahead, back] =
        ["bias_ih_l0", "bias_hh_l0"].map(|it| dict.find(&format!("encoder.lstm.{it}")).as_f32());
    let sum: Vec<f32> = ahead.iter().zip(back).map(|(a, b)| a + b).collect();
    assert_eq!(value(&run, "lstm.bias"), Tensor::f32([20], sum));
    // Row 0, gate 1 of ours is row 1 of PyTorch's [out, in].
    let theirs = dict.find("encoder.lstm.weight_hh_l0").as_f32();
    assert_eq!(value(&run, "lstm.recurrent").as_f32()[1], theirs[5]);
}

/// Queries, keys and values in one tensor, as `MultiheadAttention` and timm have them; a table of positions
/// with an axis for the batch.
#[test]
fn attention_takes_its_fused_projection() {
    let items = "layer block(x: f32[N, T, D]) -> f32[N, T, D] {
    let y = x + (x |> layer_norm |> attention(2))
    y + (y |> layer_norm |> dense(2 * D) |> gelu |> dense(D))
}";
    let body = "reshape(image, [N, 28, 28]) |> dense(8) |> positions |> repeat 2 { block } |> layer_norm\n        \
                |> mean(axis: 1) |> dense(10)";
    let dict = |fused: [&str; 2]| {
        let mut dict =
            StateDict::default().linear("embed", &[8, 28]).tensor("pos_embedding", &[1, 28, 8]);
        for block in 0..2 {
            let of = |part: &str| format!("layers.{block}.{part}");
            dict = dict
                .linear(&of("ln_1"), &[8])
                .tensor(&of(fused[0]), &[24, 8])
                .tensor(&of(fused[1]), &[24])
                .linear(&of("attn.out_proj"), &[8, 8])
                .linear(&of("ln_2"), &[8])
                .linear(&of("mlp.0"), &[16, 8])
                .linear(&of("mlp.3"), &[8, 16]);
        }
        dict.linear("ln", &[8]).linear("head", &[10, 8])
    };
    for fused in
        [["attn.in_proj_weight", "attn.in_proj_bias"], ["attn.qkv.weight", "attn.qkv.bias"]]
    {
        let dict = dict(fused);
        let run = begun(&program(items, body, ""), &dict).unwrap_or_else(|it| panic!("{it:?}"));
        let [weight, bias] = fused.map(|it| format!("layers.1.{it}"));
        let pairs = [
            ("block_2.attention.qkv.weight", weight.as_str()),
            ("block_2.attention.qkv.bias", bias.as_str()),
            ("block_2.attention.out.weight", "layers.1.attn.out_proj.weight"),
            ("block.layer_norm_2.weight", "layers.0.ln_2.weight"),
        ];
        holds(&run, &dict, &pairs);
        let positions = value(&run, "positions.weight");
        assert_eq!(positions.as_f32(), dict.find("pos_embedding").as_f32(), "not transposed");
    }
}

/// Kernels of transposed convolutions are `[in, out, kh, kw]`.
#[test]
fn transposed_convolutions_are_turned() {
    let body = "image |> conv(2, 4, stride: 4) |> conv_transpose(3, 2, stride: 2) |> global_avg_pool |> dense(10)";
    let dict = StateDict::default()
        .tensor("down.weight", &[2, 1, 4, 4])
        .tensor("down.bias", &[2])
        .tensor("up.weight", &[2, 3, 2, 2])
        .tensor("up.bias", &[3])
        .linear("head", &[10, 3]);
    let run = begun(&program("", body, ""), &dict).unwrap_or_else(|it| panic!("{it:?}"));
    let (ours, theirs) = (value(&run, "conv_transpose.weight"), dict.find("up.weight"));
    assert_eq!(ours.shape, [2, 2, 2, 3]);
    // [kh, kw, in, out] = [1, 0, 1, 2] is [in, out, kh, kw] = [1, 2, 1, 0] there.
    assert_eq!(ours.as_f32()[(2 * 2 + 1) * 3 + 2], theirs.as_f32()[((3 + 2) * 2 + 1) * 2]);
}

/// Another number of classes is one line; the file's head is paired with the one that is left out.
#[test]
fn a_head_of_other_classes_is_left_out_by_one_argument() {
    let dict = resnet(1000);
    let program = resnet_program(", except: [\"dense.*\"]");
    let run = begun(&program, &dict).unwrap_or_else(|failure| panic!("{failure:?}"));
    holds(&run, &dict, &[("bottleneck_3.conv_norm_4.conv.weight", "layer2.0.downsample.0.weight")]);
    assert_eq!(value(&run, "dense.bias").as_f32(), [0.0; 10], "begins as without a file");
}

/// A file of a part of the program, such as its encoder.
#[test]
fn a_part_of_a_program_is_taken_where_it_may_be() {
    let body = "image |> flatten |> dense(12) |> relu |> dense(8) |> relu |> dense(10)";
    let dict = StateDict::default().linear("enc.0", &[12, 784]).linear("enc.2", &[8, 12]);
    let run =
        begun(&program("", body, ", partial: true"), &dict).unwrap_or_else(|it| panic!("{it:?}"));
    holds(&run, &dict, &[("dense.weight", "enc.0.weight"), ("dense_2.bias", "enc.2.bias")]);
    assert_eq!(value(&run, "dense_3.bias").as_f32(), [0.0; 10]);
}

/// The table: by blocks where a run is checked or begins, in full by `nnc import --names`.
#[test]
fn the_table_is_printed() {
    let folder = folder(&resnet_program(""), &resnet(10));
    let blocks = "weights: 62 tensors for 25 layers, matched by their structure";
    let all = |args: &[&str]| {
        let output = folder.nnc(args);
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    for said in [all(&["check", "net.nn"]), all(&["run", "net.nn", "--no-out"])] {
        assert!(said.contains(blocks), "{said}");
        let line = "layer1.0.*   bottleneck.conv_norm.conv … bottleneck.conv_norm_4.batch_norm";
        assert!(said.contains(line), "{said}");
    }
    let said = folder.good(&["import", "--names", "torch.safetensors", "net.nn"]);
    for line in [
        "layer1.0.conv1.weight               [4, 4, 1, 1]    bottleneck.conv_norm.conv.weight",
        "    init_from = weights(\"torch.safetensors\", layout: pytorch)",
        "        [\"bn1.*\", \"conv_norm.batch_norm.*\"],",
        "        [\"fc.*\", \"dense.*\"],",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let all = folder.json(&["import", "--names", "torch.safetensors", "net.nn", "--json"]);
    let names = all[0]["names"].as_array().expect("a list");
    assert_eq!(names.len(), 62);
    assert_eq!(names[0]["names"][0], "conv1.weight");
    assert_eq!(names[0]["path"], "conv_norm.conv.weight");

    // The rules that are printed say the same.
    let rules: Vec<String> =
        all[0]["rename"].as_array().expect("a list").iter().map(|it| it.to_string()).collect();
    let by_rules = resnet_program(&format!(", rename: [{}]", rules.join(", ")));
    let dict = resnet(10);
    let [one, two] = [resnet_program(""), by_rules]
        .map(|it| begun(&it, &dict).unwrap_or_else(|failure| panic!("{failure:?}")));
    assert!(one.variables().zip(two.variables()).all(|(a, b)| a == b), "other values");
}

/// A program's own names need no table.
#[test]
fn names_of_the_program_are_taken_as_they_are() {
    let body = "image |> flatten |> dense(10)";
    let dict = StateDict::default().linear("dense", &[10, 784]);
    let folder = folder(&program("", body, ""), &dict);
    assert!(!folder.good(&["check", "net.nn"]).contains("matched by their structure"));
    let said = folder.good(&["import", "--names", "torch.safetensors", "net.nn"]);
    assert!(said.contains("the file has the names of the program"), "{said}");
}
