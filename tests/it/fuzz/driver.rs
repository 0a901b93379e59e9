//! Shows a check one input after the other, some made up and some changed ones of which nothing like it was said before.

use std::collections::HashSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::checks::{self, Check, TARGETS};
use super::mutated::Pool;

/// What makes an input up from nothing, or from others.
pub(super) type Make = fn(&mut Rng, &Pool) -> Vec<u8>;

/// No input takes longer, on a machine that is busy.
const LONGEST: Duration = Duration::from_secs(20);

/// Inputs that are kept to be changed.
const MAX_KEPT: usize = 2000;

/// The seed where nobody says how long to go on: the same inputs in every run.
const USUAL_SEED: u64 = 1;

/// What a person says about one run.
#[expect(
    clippy::disallowed_methods,
    reason = "a person says how long, from which seed, or which input"
)]
fn of_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number(name: &str) -> Option<u64> {
    of_environment(name).map(|text| text.parse().expect(name))
}

/// Checks a target on its seeds, and on inputs that are made up: so many, or for as long as a person says.
pub(super) fn fuzz(name: &str, make: Option<Make>, inputs: u64) {
    let (_, check) = TARGETS.iter().find(|target| target.0 == name).unwrap();
    if let Some(path) = of_environment("KOMETSALES_FUZZ_INPUT") {
        checks::run(name, &fs::read(path).unwrap());
        return;
    }
    run(name, *check, make, inputs);
}

/// The same with another check.
pub(super) fn run(name: &str, check: Check, make: Option<Make>, inputs: u64) {
    run_within(name, check, make, inputs, LONGEST);
}

/// The same where an input may take so long.
#[expect(clippy::print_stdout, reason = "figures, for whoever asks for them by --nocapture")]
pub(super) fn run_within(
    name: &str,
    check: Check,
    make: Option<Make>,
    inputs: u64,
    longest: Duration,
) {
    let seconds = number("KOMETSALES_FUZZ_SECONDS").map(Duration::from_secs);
    let usual = || if seconds.is_some() { fastrand::u64(..) } else { USUAL_SEED };
    let seed = number("KOMETSALES_FUZZ_SEED").unwrap_or_else(usual);
    let current = Arc::new(Mutex::new((Vec::new(), Instant::now())));
    let (sender, ended) = channel();
    let worker = Worker {
        check,
        make,
        rng: Rng::with_seed(seed),
        pool: Pool { inputs: seeds(name), words: words(name) },
        said: HashSet::new(),
        current: Arc::clone(&current),
    };
    let until = Until { inputs, time: seconds.unwrap_or_default() };
    std::thread::spawn(move || {
        // Nobody waits any more once an input took too long.
        let _ = sender.send(worker.go_on(until));
    });
    let started = Instant::now();
    let failed = |what: &str| -> ! {
        let input = current.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
        let path = kept(name, seed, &input);
        panic!("{what}: `{}` (KOMETSALES_FUZZ_SEED={seed})", path.display())
    };
    loop {
        match ended.recv_timeout(Duration::from_millis(50)) {
            Ok(Ok(Done { inputs, outcomes })) => {
                let each = inputs as f64 / started.elapsed().as_secs_f64();
                println!(
                    "{name}: {inputs} inputs, {each:.0} a second, {outcomes} outcomes, seed {seed}"
                );
                return;
            }
            Ok(Err(Fault)) | Err(RecvTimeoutError::Disconnected) => failed("An input fails"),
            Err(RecvTimeoutError::Timeout) => {
                let since = current.lock().unwrap_or_else(PoisonError::into_inner).1;
                if since.elapsed() > longest {
                    failed(&format!("An input takes longer than {longest:?}"));
                }
            }
        }
    }
}

/// When to stop: after both.
struct Until {
    inputs: u64,
    time: Duration,
}

/// What was done without a fault.
struct Done {
    inputs: u64,
    outcomes: usize,
}

/// A check failed; its input is the current one.
struct Fault;

struct Worker {
    check: Check,
    make: Option<Make>,
    rng: Rng,
    pool: Pool,
    said: HashSet<String>,
    current: Arc<Mutex<(Vec<u8>, Instant)>>,
}

impl Worker {
    fn go_on(mut self, until: Until) -> Result<Done, Fault> {
        let started = Instant::now();
        for seed in self.pool.inputs.clone() {
            self.show(seed)?;
        }
        let mut inputs = 0;
        while inputs < until.inputs || started.elapsed() < until.time {
            let input = match self.make {
                Some(make) if self.rng.u8(..100) < 60 => make(&mut self.rng, &self.pool),
                _ => self.pool.mutated(&mut self.rng),
            };
            self.show(input)?;
            inputs += 1;
        }
        Ok(Done { inputs, outcomes: self.said.len() })
    }

    /// Checks an input, and keeps it where nothing like it was said before.
    fn show(&mut self, input: Vec<u8>) -> Result<(), Fault> {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) =
            (input.clone(), Instant::now());
        let said = catch_unwind(AssertUnwindSafe(|| (self.check)(&input))).map_err(|_| Fault)?;
        let mut is_new = false;
        for part in parts(&said, &String::from_utf8_lossy(&input)) {
            is_new |= self.said.insert(part);
        }
        if is_new && self.pool.inputs.len() < MAX_KEPT {
            self.pool.inputs.push(input);
        }
        Ok(())
    }
}

/// What was said of an input, sentence by sentence, without words that are the input's own: another name is no news, nor are
/// the same sentences in another order, and there are more of these than inputs are kept.
fn parts(said: &str, input: &str) -> Vec<String> {
    // A check's own words are plain, short, or show the form of something by zeros.
    let is_own = |word: &str| {
        let is_plain = word.bytes().all(|byte| byte.is_ascii_alphabetic());
        let is_form = word.bytes().all(|byte| b"0a:+-.".contains(&byte));
        let is_short = word.len() <= 3 && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        !(is_short || is_form || is_plain) || (word.len() > 3 && input.contains(word))
    };
    let part = |part: &str| {
        let words = part.split_whitespace().map(|word| word.trim_matches(MARKS));
        let mut words: Vec<&str> =
            words.map(|word| if is_own(word) { "…" } else { word }).collect();
        words.dedup();
        words.join(" ")
    };
    said.split(". ").flat_map(|part| part.split("; ")).map(part).collect()
}

/// What is around a word that is quoted.
const MARKS: [char; 7] = ['.', ',', ';', ':', '?', '"', '\''];

#[test]
fn what_is_the_inputs_own_is_no_news() {
    let of = |said: &str, input: &str| parts(said, input).into_iter().collect::<HashSet<_>>();
    let one = of("s3://b/x.y is inside a log. Did you mean s3://b?", "s3://b/x.y/_delta_log");
    let other = of("Did you mean az://c; \"azure\" is inside a log.", "azure//x");
    assert_eq!(one, of("… is inside a log. Did you mean …", ""), "{one:?}");
    assert_eq!(one, other);
    assert_ne!(one, of("s3://b is a file.", "s3://b"));
    assert_ne!(of("0000-00 true", "2024-01"), of("0000-00 false", "2024-01"));
}

/// Where a failing input is kept.
fn kept(name: &str, seed: u64, input: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{name}-{seed}-{}", fastrand::u32(..)));
    fs::write(&path, input).unwrap();
    path
}

/// The folder of the targets' files.
fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"))
}

/// The seeds of a target, in the same order everywhere.
pub(super) fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = fs::read_dir(folder().join("seeds").join(name)).unwrap();
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// The words of a target's dictionary, which has the form of libFuzzer's and AFL's: a text in quotes a line.
fn words(name: &str) -> Vec<Vec<u8>> {
    let path = folder().join("dictionaries").join(name).with_extension("dict");
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(word).collect()
}

fn word(line: &str) -> Vec<u8> {
    let quoted = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).expect(line);
    let mut word = Vec::new();
    let mut rest = quoted.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'\\' {
            word.push(*first);
            continue;
        }
        match behind {
            [b'x', high, low, behind @ ..] => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).expect(line);
                word.push(u8::from_str_radix(digits, 16).expect(line));
                rest = behind;
            }
            [escaped @ (b'\\' | b'"'), behind @ ..] => {
                word.push(*escaped);
                rest = behind;
            }
            _ => panic!("no escape of a dictionary: {line}"),
        }
    }
    word
}
