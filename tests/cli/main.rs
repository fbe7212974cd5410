//! The command as people meet it: what it prints, where, and with which exit code.

mod arguments;
mod reference;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder of its own for each test, since tests run side by side.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(test);
    // What an earlier run of this test has left.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the folder for temporary files can be written");
    folder
}

fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> String {
    fs::write(folder.join(name), text).expect("the folder for temporary files can be written");
    name.to_owned()
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    command.current_dir(folder).args(arguments).env_remove("CLICOLOR_FORCE");
    command
}

struct Seen {
    code: Option<i32>,
    out: String,
    err: String,
}

fn seen(output: Output) -> Seen {
    let text = |bytes| String::from_utf8(bytes).expect("what it prints is UTF-8");
    let seen =
        Seen { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
    assert!(!seen.err.contains("panicked"), "{}", seen.err);
    assert!(!seen.out.contains('\u{1b}') && !seen.err.contains('\u{1b}'), "no colour in a pipe");
    seen
}

fn stormglass(folder: &Path, arguments: &[&str]) -> Seen {
    seen(command(folder, arguments).output().expect("the command can be started"))
}

/// The result of a command that must succeed.
#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let seen = stormglass(Path::new("."), arguments);
    assert_eq!((seen.code, seen.err.as_str()), (Some(0), ""), "{arguments:?}");
    seen.out
}

/// Asserts that the input is refused, and that what is said about it has all of these in it.
#[track_caller]
fn refused(folder: &Path, arguments: &[&str], said: &[&str]) {
    let seen = stormglass(folder, arguments);
    assert_eq!((seen.code, seen.out.as_str()), (Some(2), ""), "{arguments:?}: {}", seen.err);
    for part in said {
        assert!(seen.err.contains(part), "{arguments:?} should say `{part}`:\n{}", seen.err);
    }
}

const ONE: &str = r#"Scenario(
    title: "One server",
    run: (load: "2s", quiet: "1s"),
    nodes: {
        "users": Client(target: "server", operation: "serve", load: Poisson(rate: "80/s")),
        "server": Service(
            machine: (workers: 1),
            operations: {"serve": (cost: Exponential(mean: "5ms"))},
        ),
    },
)
"#;

/// [`ONE`] with a word changed.
fn changed(from: &str, to: &str) -> String {
    assert!(ONE.contains(from), "{from} is not in the scenario");
    ONE.replacen(from, to, 1)
}

#[test]
fn a_small_scenario_is_valid() {
    let folder = folder("valid");
    let path = write(&folder, "one.ron", ONE);
    let seen = stormglass(&folder, &["check", &path]);
    assert_eq!((seen.code, seen.err.as_str()), (Some(0), ""));
    for part in [
        "one.ron: valid",
        "One server",
        "2 nodes, 1 edge, no faults",
        "longest chain of calls: users → server (1 call)",
        "server  cuts users off from everything",
    ] {
        assert!(seen.out.contains(part), "{part}:\n{}", seen.out);
    }
}

#[test]
fn a_quiet_check_says_only_what_is_wrong() {
    let folder = folder("quiet");
    write(&folder, "one.ron", ONE);
    write(&folder, "odd.ron", changed("workers", "wrokers"));
    for flag in ["-q", "--quiet"] {
        let seen = stormglass(&folder, &["check", flag, "one.ron"]);
        assert_eq!((seen.code, seen.out.as_str(), seen.err.as_str()), (Some(0), "", ""));
        refused(&folder, &["check", flag, "odd.ron"], &["odd.ron:7:23", "`workers`"]);
        refused(&folder, &["check", flag, "one.ron", "--variant", "x"], &["no variant is called"]);
    }
}

#[test]
fn a_circle_of_calls_and_an_unreachable_node_are_warned_of() {
    let folder = folder("warned");
    let calls = |to: &str| {
        format!("Service(operations: {{\"go\": (calls: [(to: \"{to}\", operation: \"go\")])}})")
    };
    let more = format!(
        "\"a\": {}, \"b\": {}, \"lonely\": {},\n        \"server\": Service(",
        calls("b"),
        calls("a"),
        calls("server")
    );
    let text = changed("\"server\": Service(", &more);
    let text = text.replacen("target: \"server\"", "target: \"a\"", 1);
    let text = text.replace("\"serve\"", "\"go\"");
    let path = write(&folder, "circle.ron", text);
    let seen = stormglass(&folder, &["check", &path]);
    assert_eq!(seen.code, Some(0), "{}", seen.err);
    for part in [
        "warning: calls go in a circle: a → b → a",
        "warning: no client reaches lonely",
        "warning: no client reaches server",
    ] {
        assert!(seen.out.contains(part), "{part}:\n{}", seen.out);
    }
}

#[test]
fn every_scenario_of_the_project_is_valid() {
    let mut scenarios = 0;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    for entry in fs::read_dir(&folder).expect("the project has scenarios") {
        let path = entry.expect("the folder can be read").path();
        if path.extension().is_some_and(|extension| extension == "ron") {
            let path = path.to_str().expect("its name is UTF-8");
            assert!(printed(&["check", path]).contains(": valid"));
            scenarios += 1;
        }
    }
    assert!(scenarios > 0);
}

#[test]
fn a_topology_is_drawn_in_two_languages() {
    let folder = folder("drawn");
    let path = write(&folder, "one.ron", ONE);
    for (format, part) in [
        ("dot", "    \"users\" -> \"server\";\n"),
        ("mermaid", "flowchart LR\n    n0[\"server<br/>Service\"]\n"),
    ] {
        let seen = stormglass(&folder, &["graph", &path, "--format", format]);
        assert_eq!(seen.code, Some(0), "{}", seen.err);
        assert!(seen.out.contains(part), "{}", seen.out);
    }
}

#[test]
fn a_bad_scenario_is_refused_at_its_place() {
    let folder = folder("scenarios");
    for (name, text, said) in [
        (
            "field.ron",
            changed("workers", "wrokers"),
            &["field.ron:7:23", "wrokers", "did you mean `workers`?"][..],
        ),
        (
            "node.ron",
            changed("target: \"server\"", "target: \"servre\""),
            &["node.ron:5:33", "no node is called `servre`", "did you mean `server`?"],
        ),
        ("unit.ron", changed("5ms", "5 mss"), &["unit.ron:8:60", "5 mss", "ms"]),
        ("missing-unit.ron", changed("\"5ms\"", "5"), &["missing-unit.ron:8:60", "\"5ms\""]),
        ("rate.ron", changed("80/s", "-80/s"), &["rate.ron:5:83", "-80/s"]),
        ("kind.ron", changed("Service", "Servise"), &["kind.ron:6:19", "did you mean `Service`?"]),
        ("twice.ron", changed("title", "title: \"a\", title"), &["twice.ron:2:17", "title"]),
        (
            "broken.ron",
            changed("(workers: 1)", "(workers: 1"),
            &["broken.ron:6:26", "`(` is never closed"],
        ),
        (
            "events.ron",
            changed("run: ", "events_max: 0, run: "),
            &["events.ron:3:17", "`events_max` must be at least 1"],
        ),
        (
            "client.ron",
            changed("Client(target", "Klient(target"),
            &["client.ron:5:18", "did you mean `Client`?"],
        ),
    ] {
        let path = write(&folder, name, text);
        for command in ["check", "run", "graph"] {
            refused(&folder, &[command, &path], said);
        }
    }
    assert!(!folder.join("reports").exists(), "nothing is written for what cannot be run");
}

#[test]
fn what_is_no_scenario_is_refused_at_once() {
    let folder = folder("files");
    write(&folder, "trip.ron", ONE);
    write(&folder, "empty.ron", "");
    write(&folder, "comment.ron", "// nothing\n");
    write(&folder, "binary.ron", [0x7f, b'E', b'L', b'F', 0, 1, 2, 0xff]);
    write(&folder, "latin.ron", b"Scenario(title: \"K\xf6ln\")");
    fs::create_dir(folder.join("inner")).expect("the folder can be written");
    write(&folder, "inner/here.ron", ONE);
    let large = File::create(folder.join("large.ron")).expect("the folder can be written");
    large.set_len(100 << 20).expect("the file takes no space");
    for (path, said) in [
        ("tripp.ron", &["there is no `tripp.ron`", "did you mean `trip.ron`?"][..]),
        ("", &["a value is required for '<SCENARIO>'"]),
        ("empty.ron", &["`empty.ron` is empty", "Scenario("]),
        ("comment.ron", &["nothing but comments"]),
        ("inner", &["`inner` is a directory", "inner/here.ron"]),
        ("binary.ron", &["`binary.ron` is not", "line 1"]),
        ("latin.ron", &["`latin.ron` is not UTF-8 text", "line 1"]),
        ("large.ron", &["`large.ron` is too large: 100.0 MiB"]),
    ] {
        refused(&folder, &["run", path], said);
    }
}

#[test]
fn a_value_that_cannot_be_set_is_refused_in_the_argument() {
    let folder = folder("set");
    let path = write(&folder, "one.ron", ONE);
    for (set, said) in [
        ("run.lood=3s", &["run.lood", "did you mean", "load"][..]),
        ("run.load=3 sec", &["3 sec", "--set"]),
        ("run.load", &["has no `=`"]),
        ("=3s", &["a path is missing"]),
        ("events_max=0", &["`events_max` must be at least 1", "--set"]),
        ("nodes.server.machine.workers=-1", &["-1", "--set"]),
        ("nodes.users.target=servre", &["no node is called `servre`", "did you mean `server`?"]),
    ] {
        refused(&folder, &["run", &path, "--set", set], said);
    }
    let seen = stormglass(&folder, &["check", &path, "--set", "run.load=90s"]);
    assert!(seen.out.contains("1 m 30 s of load"), "{}{}", seen.out, seen.err);
}

/// A scenario whose only server is far too slow for what is expected of it.
fn slow() -> String {
    let expect = "expect: [(metric: \"latency.p99\", max: \"1ms\")],\n    run: ";
    changed("run: ", expect)
}

#[test]
fn the_exit_code_says_whether_all_held() {
    let folder = folder("codes");
    write(&folder, "one.ron", ONE);
    write(&folder, "slow.ron", slow());
    write(&folder, "short.ron", changed("run: ", "events_max: 100, run: "));
    for (name, code, part) in [
        ("one.ron", 0, "One server"),
        ("slow.ron", 1, "latency.p99"),
        ("short.ron", 3, "One server"),
    ] {
        let seen = stormglass(&folder, &["run", name, "--no-write"]);
        assert_eq!((seen.code, seen.err.as_str()), (Some(code), ""), "{name}: {}", seen.out);
        assert!(seen.out.contains(part), "{}", seen.out);
    }
    assert!(!folder.join("reports").exists());
}

#[test]
fn a_report_is_written_unless_it_would_replace_another_kind_of_report() {
    let folder = folder("written");
    write(&folder, "one.ron", ONE);
    let report = folder.join("reports/one/report.md");
    for (arguments, written) in [
        (&["run", "one.ron", "--seeds", "2"][..], false),
        (&["run", "one.ron", "--seed", "2"], false),
        (&["run", "one.ron", "--set", "run.load=1s"], false),
        (&["run", "one.ron", "--variant", "as described"], false),
        (&["run", "one.ron", "--no-write"], false),
        (&["run", "one.ron", "--seed", "1"], true),
    ] {
        let seen = stormglass(&folder, arguments);
        assert_eq!(seen.code, Some(0), "{}", seen.err);
        assert_eq!(report.exists(), written, "{arguments:?}");
        let is_told = seen.err.lines().count() == 1 || arguments.contains(&"--no-write");
        assert!(is_told, "{arguments:?}: {}", seen.err);
    }
    let markdown = fs::read_to_string(&report).expect("the report was written");
    assert!(markdown.starts_with("# "), "{markdown}");
    let left: Vec<_> = fs::read_dir(folder.join("reports/one")).expect("it was written").collect();
    assert_eq!(left.len(), 2, "no temporary file is left: {left:?}");
    let seen = stormglass(&folder, &["run", "one.ron", "--seeds", "2", "--out", "other", "-q"]);
    assert_eq!((seen.code, seen.err.as_str()), (Some(0), ""));
    assert!(folder.join("other/one/report.json").exists());
    assert_eq!(fs::read_to_string(&report).ok(), Some(markdown), "it was left alone");
}

#[test]
fn a_place_that_cannot_be_written_is_refused_before_anything_is_run() {
    let folder = folder("unwritable");
    write(&folder, "one.ron", ONE);
    write(&folder, "file", "not a folder");
    for (out, said) in [
        (
            "file",
            ["the report cannot be written to `file/one`", "`file` is there and is no folder"],
        ),
        ("file/a/b", ["the report cannot be written to `file/a/b/one`", "`file` is there and"]),
    ] {
        refused(&folder, &["run", "one.ron", "--out", out], &said);
        refused(&folder, &["run", "one.ron", "--out", out], &["`--out DIR`"]);
    }
    let long = "x".repeat(300);
    let said = [&format!("the folder `new/{long}` cannot be made: "), "`--out DIR`"];
    refused(&folder, &["run", "one.ron", "--out", &format!("new/{long}/inner")], &said);
}

#[test]
fn a_run_prints_the_same_bytes_with_any_number_of_threads() {
    let folder = folder("same");
    write(&folder, "one.ron", ONE);
    let report = |jobs: &str| {
        let arguments =
            ["run", "one.ron", "--seeds", "3", "--jobs", jobs, "--format", "md", "--no-write"];
        stormglass(&folder, &arguments).out
    };
    assert_eq!(report("1"), report("3"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let folder = folder("pipe");
    write(&folder, "one.ron", ONE);
    for arguments in [&["run", "one.ron", "--no-write"][..], &["list", "topics"]] {
        let mut child = command(&folder, arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command can be started");
        drop(child.stdout.take());
        let seen = seen(child.wait_with_output().expect("the command ends"));
        assert_eq!((seen.code, seen.err.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn colour_is_for_terminals_and_for_those_who_force_it() {
    let folder = folder("colour");
    let output = |arguments: &[&str]| {
        let output = command(&folder, arguments).env("CLICOLOR_FORCE", "1").output();
        String::from_utf8(output.expect("the command can be started").stderr).expect("it is UTF-8")
    };
    assert!(output(&["run", "nowhere.ron"]).contains('\u{1b}'));
    assert!(!output(&["run", "nowhere.ron", "--no-color"]).contains('\u{1b}'));
    assert!(!output(&["runn", "--no-color"]).contains('\u{1b}'));
}

/// Ctrl-C as a terminal sends it; other systems send it in other ways.
#[cfg(unix)]
#[test]
fn an_interrupted_study_reports_what_is_done_by_then() {
    let folder = folder("interrupted");
    write(&folder, "one.ron", ONE);
    let arguments =
        ["run", "one.ron", "--seeds", "1000000", "--jobs", "1", "--format", "md", "--out", "out"];
    let mut child = command(&folder, &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command can be started");
    let wait = |seconds: &str| {
        let slept = Command::new("sleep").arg(seconds).status().expect("there is a `sleep`");
        assert!(slept.success());
    };
    // The folder is made just before the first run begins.
    while !folder.join("out").exists() {
        let ended = child.try_wait().expect("the command can be asked for");
        assert!(ended.is_none(), "it ended before it began: {ended:?}");
        wait("0.1");
    }
    wait("2");
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.expect("there is a `kill`").success());
    let seen = seen(child.wait_with_output().expect("the command ends"));
    assert_eq!(seen.code, Some(130), "{}", seen.err);
    assert!(seen.err.contains("interrupted"), "{}", seen.err);
    assert!(seen.out.contains("One server"), "{}", seen.out);
}
