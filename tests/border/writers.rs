//! What is written over: links are followed, plain files keep what they are, anything else is refused.

use super::*;

/// A command that writes a file, up to the file's name.
fn writers() -> Vec<Vec<&'static str>> {
    vec![
        vec!["run", "net.nn", "--no-out", "--save"],
        vec!["grad", "grad.nn", "--tensors", "given.safetensors", "--out"],
        vec!["compare", "runs/net", "--svg"],
        vec!["lr-find", "net.nn", "--steps", "20", "--svg"],
        vec!["profile", "grad.nn", "--seconds", "0.01", "--trace"],
    ]
}

#[test]
fn every_writer_writes_through_links_and_refuses_what_is_no_plain_file() {
    let folder = ready();
    let odd = odd_files(&folder);
    fs::write(folder.path("read-only"), "old").expect("a file");
    fs::set_permissions(folder.path("read-only"), PermissionsExt::from_mode(0o444))
        .expect("a mode");
    for writer in writers() {
        let run = |name: &str| folder.run(&[&writer[..], &[name]].concat());
        for name in odd.into_iter().chain(["read-only", "none/at/all"]) {
            run(name).refused(2, "cannot write");
        }
        assert_eq!(fs::read(folder.path("read-only")).expect("a file"), b"old");
        assert!(fs::metadata(folder.path("pipe")).expect("a pipe").file_type().is_fifo());
        assert!(fs::symlink_metadata(folder.path("zero")).expect("a link").is_symlink());

        fs::write(folder.path("real"), "old").expect("a file");
        fs::set_permissions(folder.path("real"), PermissionsExt::from_mode(0o640)).expect("a mode");
        symlink("real", folder.path("link")).expect("a link");
        fs::hard_link(folder.path("real"), folder.path("twin")).expect("a link");
        symlink("made", folder.path("dangling")).expect("a link");
        for name in ["link", "dangling"] {
            let said = run(name);
            assert_eq!(said.code, Some(0), "{writer:?} {name}: {said:?}");
            assert!(fs::symlink_metadata(folder.path(name)).expect("a link").is_symlink());
        }
        let real = fs::metadata(folder.path("real")).expect("a file");
        assert_eq!((real.nlink(), real.mode() & 0o777), (2, 0o640), "{writer:?}");
        assert_eq!(
            fs::read(folder.path("twin")).expect("a file"),
            fs::read(folder.path("link")).expect("a file")
        );
        assert!(real.len() > 3 && fs::metadata(folder.path("made")).expect("a file").len() > 3);
        for name in ["real", "link", "twin", "made", "dangling"] {
            fs::remove_file(folder.path(name)).expect("a file");
        }
    }
    let left = fs::read_dir(folder.0.path()).expect("a folder");
    let left = left
        .filter(|it| it.as_ref().expect("an entry").file_name().to_string_lossy().starts_with('.'));
    assert_eq!(left.count(), 0, "nothing half-written stays");
}

#[test]
fn fmt_and_fix_keep_what_a_file_is() {
    let folder = Folder::with_classes(["cat", "dog"]);
    let untidy = PROGRAM.replace("    loss    =", "  loss =").replace("|> dense", "|> denze");
    for (args, needs) in [(&["fmt"][..], "loss    ="), (&["check", "--fix"], "|> dense(")] {
        let run = |name: &str| folder.run(&[args, &[name]].concat());
        fs::write(folder.path("real.nn"), &untidy).expect("a file");
        fs::set_permissions(folder.path("real.nn"), PermissionsExt::from_mode(0o600))
            .expect("a mode");
        symlink("real.nn", folder.path("link.nn")).expect("a link");
        fs::hard_link(folder.path("real.nn"), folder.path("twin.nn")).expect("a link");
        assert_eq!(run("link.nn").code, Some(0));
        assert!(fs::symlink_metadata(folder.path("link.nn")).expect("a link").is_symlink());
        let real = fs::metadata(folder.path("real.nn")).expect("a file");
        assert_eq!((real.nlink(), real.mode() & 0o777), (2, 0o600));
        let text = fs::read_to_string(folder.path("twin.nn")).expect("a file");
        assert!(text.contains(needs), "{text}");
        fs::write(folder.path("kept.nn"), &untidy).expect("a file");
        fs::set_permissions(folder.path("kept.nn"), PermissionsExt::from_mode(0o444))
            .expect("a mode");
        run("kept.nn").refused(2, "it is read-only");
        assert_eq!(fs::read_to_string(folder.path("kept.nn")).expect("a file"), untidy);
        for name in ["real.nn", "link.nn", "twin.nn", "kept.nn"] {
            fs::remove_file(folder.path(name)).expect("a file");
        }
    }
}
