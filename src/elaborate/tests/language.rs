//! What programs mean.

use super::support::{good, output, params};

#[test]
fn a_dense_network_has_paths_and_a_loss() {
    let found = good(
        "model net(x: f32[N, 12]) -> f32[N, 4] {\n    x |> dense(9) |> relu |> dense(4)\n}\n\
         train net {\n    loss = cross_entropy\n    metrics = [accuracy]\n}\n",
    );
    assert_eq!(
        params(&found),
        [
            "dense.weight: f32[12, 9]",
            "dense.bias: f32[9]",
            "dense_2.weight: f32[9, 4]",
            "dense_2.bias: f32[4]"
        ]
    );
    assert_eq!(output(&found, "loss"), "f32");
    assert_eq!(output(&found, "metric.accuracy"), "f32");
    assert_eq!(output(&found, "output"), "f32[N, 4]");
}
