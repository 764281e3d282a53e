//! A real editor: Neovim without a screen starts the server, shows its findings and hints. Skipped with a
//! word where there is none; required where `NNC_REQUIRE_NEOVIM` says so.

use super::Folder;
use std::process::{Command, Stdio};

const SCRIPT: &str = r#"
local done = {}
local good, failure = pcall(function()
    vim.filetype.add({ extension = { nn = "nn" } })
    vim.cmd("edit net.nn")
    vim.bo.filetype = "nn"
    local id = vim.lsp.start_client({ name = "nnc", cmd = { NNC, "lsp" }, root_dir = vim.fn.getcwd() })
    vim.lsp.buf_attach_client(0, id)
    vim.wait(20000, function() return #vim.diagnostic.get(0) > 0 end, 20)
    local found = vim.diagnostic.get(0)[1]
    done.finding = found and found.message or "none"
    local params = {
        textDocument = vim.lsp.util.make_text_document_params(),
        position = { line = 1, character = 10 },
    }
    local answers = vim.lsp.buf_request_sync(0, "textDocument/hover", params, 20000) or {}
    for _, answer in pairs(answers) do done.hover = answer.result and answer.result.contents.value end
end)
done.failure = not good and tostring(failure) or nil
vim.fn.writefile({ vim.json.encode(done) }, "done.json")
vim.cmd("qall!")
"#;

#[test]
fn neovim_shows_findings_and_hovers() {
    let version = Command::new("nvim").arg("--version").output();
    if version.is_err() {
        assert!(
            std::env::var_os("NNC_REQUIRE_NEOVIM").is_none(),
            "NNC_REQUIRE_NEOVIM is set, but there is no nvim"
        );
        eprintln!("skipped: there is no nvim");
        return;
    }
    let net = "model net(x: f32[N, 4]) -> f32[N, 2] {\n    x |> dense(2) |> reluu\n}\n";
    let script = SCRIPT.replace("NNC", &format!("{:?}", env!("CARGO_BIN_EXE_nnc")));
    let folder = Folder::new(&[("net.nn", net.as_bytes()), ("script.lua", script.as_bytes())]);
    let ran = Command::new("nvim")
        .args(["--headless", "--clean", "-n", "-c", "luafile script.lua"])
        .current_dir(folder.0.path())
        .env("HOME", folder.0.path())
        .env("XDG_CACHE_HOME", folder.path("cache"))
        .env("XDG_STATE_HOME", folder.path("state"))
        .stdin(Stdio::null())
        .output()
        .expect("nvim runs");
    let told = std::fs::read_to_string(folder.path("done.json"));
    let told = told.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&ran.stderr)));
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert!(told["finding"].as_str().unwrap().contains("unknown layer `reluu`"), "{told}");
    assert!(told["hover"].as_str().unwrap().contains("layer dense("), "{told}");
}
