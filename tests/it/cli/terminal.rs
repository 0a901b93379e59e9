//! What a person sees at a terminal: the bar.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use kometsales::simulator::{Delivery, Reply, write_reply};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::{Connector, collect, simulator, wait};

/// The two ends of a terminal of this many columns: what is typed and read by a person, and what a program has.
fn terminal(columns: u16) -> (File, OwnedFd) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let path = ptsname(&person, Vec::new()).unwrap().into_string().unwrap();
    let program = File::options().read(true).write(true).open(path).unwrap();
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&program, size).unwrap();
    (person.into(), program.into())
}

/// Everything that comes until the program's end of the terminal is closed, which the kernel reports as a failure.
struct UntilClosed(File);

impl Read for UntilClosed {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer).or(Ok(0))
    }
}

/// The lines that were drawn, without what moves the cursor.
fn drawn(bytes: &[u8]) -> Vec<String> {
    let (mut text, mut rest) = (String::new(), std::str::from_utf8(bytes).unwrap());
    while let Some((before, after)) = rest.split_once("\x1b[") {
        text.push_str(before);
        let end = after.find(|c: char| c.is_ascii_alphabetic()).unwrap();
        text.push(if &after[end..=end] == "m" { '\0' } else { '\n' });
        rest = &after[end + 1..];
    }
    text.push_str(rest);
    text.replace('\0', "").split(['\r', '\n']).map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn the_bar_is_never_wider_than_the_terminal() {
    const CUSTOMERS: u64 = 3_000;
    let mut body = Vec::new();
    write_reply(&mut body, CUSTOMERS).unwrap();
    for columns in [20, 40, 80] {
        let simulator = simulator(0);
        // It comes in many pieces, so that there is something to wait for.
        let delivery = Delivery::Drip(Duration::from_micros(500));
        simulator.reply_next(Reply::json(body.clone()).delivered(delivery));
        let connector = Connector::of(&simulator).with_environment("TERM", "xterm");
        connector.prepare_read();
        let (person, program) = terminal(columns);
        let mut command =
            connector.command(&["export", "--config", "config.json", "--to", "x.parquet"]);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(program).spawn().unwrap();
        drop(command);
        let seen = collect(Some(UntilClosed(person)));
        assert_eq!(wait(&mut child).code(), Some(0));
        let lines = drawn(&seen.join().unwrap());
        let is_bar = |line: &&String| {
            [" of 3,000", "⠁", "⠂", "⠄", "⡀", "⢀", "⠠", "⠐", "⠈"]
                .iter()
                .any(|part| line.contains(part))
        };
        let bars: Vec<&String> = lines.iter().filter(is_bar).collect();
        assert!(bars.iter().any(|line| line.contains("3,000")), "{columns}: {lines:?}");
        assert!(bars.iter().any(|line| line.contains("Receiving")), "{columns}: {lines:?}");
        let has_rate = bars.iter().any(|line| line.contains(" MB, ") && line.contains(" MB/s, "));
        assert!(has_rate || columns < 40, "{columns}: {lines:?}");
        for bar in bars {
            assert!(bar.chars().count() < columns.into(), "{columns}: {bar:?}");
        }
    }
}
