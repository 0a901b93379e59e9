//! Signals: as the first process of a container, in a script's background, and anywhere else.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kometsales::simulator::{Delivery, Reply};

use crate::support::lake::Lake;
use crate::support::replies::SAMPLE;
use crate::support::{Connector, collect, eventually, simulator, wait};

/// How long a signal may take to end a run.
const AT_ONCE: Duration = Duration::from_secs(1);

/// The command as the first process of a process namespace of its own, as in a container.
fn as_first_process(connector: &Connector, arguments: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    let program = connector.command(arguments);
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(program.get_program());
    command.args(program.get_args()).current_dir(connector.folder()).env_clear();
    for (name, value) in program.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
}

/// Sends a signal to the program that `unshare` started, and gives the exit code and how long it took.
fn signal(child: &mut Child, name: &str) -> (Option<i32>, Duration) {
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let first = std::fs::read_to_string(children).unwrap();
    let started = Instant::now();
    let kill = format!("kill -{name} {first}");
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    (wait(child).code(), started.elapsed())
}

#[test]
fn the_first_process_of_a_container_ends_at_once_with_the_code_of_the_signal() {
    let allowed =
        Command::new("unshare").args(["--pid", "--fork", "--mount-proc", "true"]).status();
    if !allowed.is_ok_and(|status| status.success()) {
        println!("left out: this user may make no process namespace");
        return;
    }
    for (name, code) in [("TERM", 143), ("INT", 130), ("HUP", 129), ("QUIT", 131)] {
        for arguments in [
            &["read", "--config", "config.json", "--catalog", "catalog.json"][..],
            &["check", "--config", "config.json"],
            &["--config", "config.json"],
            &["export", "--config", "config.json", "--to", "lake"],
            &["export", "--config", "config.json", "--to", "-"],
        ] {
            let simulator = simulator(10);
            simulator.reply_next(Reply::json(SAMPLE).delivered(Delivery::StallHeaders));
            let connector = Connector::of(&simulator);
            connector.prepare_read();
            let mut command = as_first_process(&connector, arguments);
            let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = piped.spawn().unwrap();
            let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
            eventually("the request arrives", || simulator.requests().len() == 1);
            let (exit, took) = signal(&mut child, name);
            let stderr = String::from_utf8(stderr.join().unwrap()).unwrap();
            assert_eq!(exit, Some(code), "{name} {arguments:?}: {stderr}");
            assert!(took < AT_ONCE, "{name} {arguments:?}: {took:?}");
            let stdout = String::from_utf8(stdout.join().unwrap()).unwrap();
            assert!(!stdout.contains("STATE"), "{stdout}");
            assert!(Lake::in_folder(&connector.folder().join("lake")).names().is_empty());
        }
    }
}

#[test]
fn the_simulator_ends_as_the_first_process_too() {
    let connector = Connector::configured(serde_json::json!({}));
    let mut command = as_first_process(&connector, &["simulate"]);
    let Ok(mut child) =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    else {
        println!("left out: this user may make no process namespace");
        return;
    };
    let mut first = [0; 1];
    let said = std::io::Read::read(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    if said == 0 {
        println!("left out: this user may make no process namespace");
        return;
    }
    assert_eq!(signal(&mut child, "TERM").0, Some(143));
}

#[test]
fn a_signal_that_a_script_ignores_stays_ignored() {
    let simulator = simulator(10);
    // Some pieces long, so that it is still on its way.
    let long = format!("{SAMPLE}{}", " ".repeat(4096));
    simulator.reply_next(Reply::json(long).delivered(Delivery::Drip(Duration::from_millis(150))));
    let connector = Connector::of(&simulator);
    connector.prepare_read();
    let program = connector.command(&[]);
    let script = format!(
        "trap '' INT; {} read --config config.json --catalog catalog.json",
        program.get_program().to_string_lossy()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(connector.folder());
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdout = collect(child.stdout.take());
    eventually("the request arrives", || simulator.requests().len() == 1);
    let children =
        std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
    let target = if children.trim().is_empty() { child.id().to_string() } else { children };
    let kill = format!("kill -INT {target}");
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    assert_eq!(wait(&mut child).code(), Some(0));
    assert!(String::from_utf8(stdout.join().unwrap()).unwrap().contains("STATE"));
}

#[test]
fn an_export_that_is_started_through_the_loader_works() {
    let simulator = simulator(10);
    let connector = Connector::of(&simulator);
    connector.prepare_read();
    let program = connector.command(&["export", "--config", "config.json", "--to", "lake"]);
    let mut command = Command::new("/lib64/ld-linux-x86-64.so.2");
    command.arg(program.get_program()).args(program.get_args()).current_dir(connector.folder());
    let Ok(mut child) =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
    else {
        println!("left out: there is no loader of that name");
        return;
    };
    let stderr = collect(child.stderr.take());
    let status = wait(&mut child);
    assert_eq!(status.code(), Some(0), "{:?}", String::from_utf8(stderr.join().unwrap()));
    assert_eq!(Lake::in_folder(&connector.folder().join("lake/customers")).rows().len(), 10);
}

#[test]
fn no_run_that_holds_a_token_can_leave_a_core_dump() {
    let simulator = simulator(10);
    simulator.reply_next(Reply::json(SAMPLE).delivered(Delivery::StallHeaders));
    let connector = Connector::of(&simulator);
    let mut child = connector.start_read();
    eventually("the request arrives", || simulator.requests().len() == 1);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    child.kill().unwrap();
    wait(&mut child);
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
}
