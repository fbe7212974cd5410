//! What the commands of an interaction test do.

use std::path::Path;

use stormglass::check::outcome::ChainStep;
use stormglass::engine::{Change, Expect, Msg, Name, NodeId, Root, Row, Span, Status, Time};
use stormglass::explore::Session;
use stormglass::scenario::{Scenario, diagnose, load, read_fault, source::Source};

/// The run that the commands are about, if one was loaded.
#[derive(Default)]
pub struct Stage {
    play: Option<Play>,
}

struct Play {
    scenario: Scenario,
    session: Session,
    /// Requests so far: the number of the last business object.
    sent: u64,
}

type Output = Result<Vec<String>, String>;

impl Stage {
    /// Does what the command says; the lines of its output.
    pub fn play(&mut self, command: &str, input: &str) -> Vec<String> {
        let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
        let output = match verb {
            "load" => self.load(rest, input),
            "inject" | "send" | "run" | "nodes" | "disk" | "counts" => {
                let Some(play) = &mut self.play else {
                    return vec!["error: load a scenario first".to_owned()];
                };
                let rest =
                    if input.is_empty() { rest.to_owned() } else { format!("{rest}\n{input}") };
                perform(play, verb, &rest)
            }
            _ => Err(format!("no such command: {verb}")),
        };
        // An empty line would end the output.
        let lines = output.unwrap_or_else(|problem| vec![format!("error: {problem}")]);
        let whole = lines.iter().flat_map(|text| text.lines()).filter(|line| !line.is_empty());
        whole.map(|line| line.trim_end().to_owned()).collect()
    }

    /// `load BASE [variant=NAME] [seed=N]`, and as input either a whole scenario, if there is no
    /// base, or values to set in the base, each `path = value`.
    fn load(&mut self, rest: &str, input: &str) -> Output {
        let (mut base, mut variant, mut seed) = (None, None, 1);
        for word in rest.split_whitespace() {
            match word.split_once('=') {
                Some(("variant", name)) => variant = Some(name),
                Some(("seed", number)) => {
                    seed = number.parse().map_err(|_| format!("{number} is no seed"))?;
                }
                Some((other, _)) => return Err(format!("no such option: {other}")),
                None => base = Some(word),
            }
        }
        let source = match base {
            None => Source::new("scenario", input),
            Some(base) => changed(named(base)?, input)?,
        };
        let scenario = load(&source).map_err(|problems| told(&problems, &source))?;
        let mut variants = scenario.variants.iter();
        let chosen = match variant {
            None => variants.next(),
            Some(name) => variants.find(|one| one.name == name),
        };
        let chosen = chosen.ok_or_else(|| "there is no such variant".to_owned())?;
        let session = Session::new(&scenario, chosen, seed);
        let nodes: Vec<&str> = session.nodes().iter().map(|(id, _)| scenario.node(*id)).collect();
        let output = vec![format!("{} nodes: {}", nodes.len(), nodes.join(", "))];
        self.play = Some(Play { scenario, session, sent: 0 });
        Ok(output)
    }
}

/// A base of this folder, or a scenario of the project by its path.
fn named(base: &str) -> Result<Source, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = match base.ends_with(".ron") {
        true => root.join(base),
        false => root.join("tests/interaction").join(format!("{base}.ron")),
    };
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|_| format!("no base is called {base}: there is no such file"))?;
    Ok(Source::new(base, text))
}

fn changed(mut source: Source, input: &str) -> Result<Source, String> {
    for line in input.lines().filter(|line| !line.trim().is_empty()) {
        let (path, value) =
            line.split_once(" = ").ok_or_else(|| format!("`{line}` is not `path = value`"))?;
        source = source.set(path.trim(), value.trim()).map_err(|one| told(&[one], &source))?;
    }
    Ok(source)
}

fn told(problems: &[diagnose::Problem], source: &Source) -> String {
    diagnose::render(problems, Some(source), false)
}

fn perform(play: &mut Play, verb: &str, rest: &str) -> Output {
    if verb == "send" {
        return send(play, rest);
    }
    let Play { scenario, session, .. } = play;
    match verb {
        "inject" => inject(scenario, session, rest),
        "run" => run(scenario, session, rest),
        "nodes" => Ok(nodes(scenario, session)),
        "disk" => disk(scenario, session, rest),
        _ => Ok(counts(session)),
    }
}

fn node(scenario: &Scenario, name: &str) -> Result<NodeId, String> {
    let place = scenario.names.iter().position(|known| known == name.trim());
    let place = place.ok_or_else(|| format!("no node is called {}", name.trim()))?;
    Ok(NodeId(place as u32))
}

/// `inject NAME FAULT`: the fault is spelt as in a scenario.
fn inject(scenario: &Scenario, session: &mut Session, rest: &str) -> Output {
    let (name, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let source = Source::new("fault", text);
    let fault = read_fault(scenario, &source).map_err(|problems| told(&problems, &source))?;
    session.inject(name, &fault);
    Ok(vec!["ok".to_owned()])
}

/// `send FROM -> TO WHAT [key N] [within SPAN] [times N]`, where WHAT is `OPERATION [VALUE]`, `get
/// TABLE KEY` or `commit ACCOUNT +VALUE`. Without a key each request is about another object.
fn send(play: &mut Play, rest: &str) -> Output {
    let usage = "it is: send FROM -> TO WHAT [key N] [within SPAN] [times N]";
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [from, "->", to, what @ ..] = &words[..] else { return Err(usage.to_owned()) };
    let (from, to) = (node(&play.scenario, from)?, node(&play.scenario, to)?);
    let (what, times) = option(what, "times");
    let (what, within) = option(&what, "within");
    let (what, given) = option(&what, "key");
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{text} is no number"));
    let within = within.map(|text| text.parse::<Span>().map_err(|error| error.to_string()));
    let within = within.transpose()?;
    for _ in 0..times.map_or(Ok(1), number)? {
        play.sent += 1;
        let key = given.map_or(Ok(play.sent), number)?;
        let msg = match &what[..] {
            ["get", table, key] => Msg::Get { table: Name::of(table), key: number(key)? },
            ["commit", account, change] => commit(account, change)?,
            [verb] => Msg::Do { verb: Name::of(verb), key, value: 1 },
            [verb, value] => Msg::Do { verb: Name::of(verb), key, value: number(value)? },
            _ => return Err(usage.to_owned()),
        };
        play.session.send(from, to, msg, within);
    }
    Ok(vec!["ok".to_owned()])
}

fn commit(account: &str, change: &str) -> Result<Msg, String> {
    let amount = change.trim_start_matches(['+', '-']);
    let by = amount.parse().map_err(|_| format!("{amount} is no number"))?;
    let change = if change.starts_with('-') { Change::Take(by) } else { Change::Give(by) };
    let row = Row { table: Name::of(account), key: 0, expect: Expect::Any, change };
    Ok(Msg::Commit { rows: [row].into() })
}

/// The words without `name VALUE`, and the value.
fn option<'w>(words: &[&'w str], name: &str) -> (Vec<&'w str>, Option<&'w str>) {
    let mut words = words.to_vec();
    let place = words.iter().position(|word| *word == name).filter(|at| at + 1 < words.len());
    let value = place.map(|at| words.drain(at..at + 2).nth(1).unwrap_or_default());
    (words, value)
}

/// `run SPAN`, `run until INSTANT` or `run to rest`, each perhaps `silently`; tells what happened.
fn run(scenario: &Scenario, session: &mut Session, rest: &str) -> Output {
    let spoken = rest.strip_suffix(" silently");
    let text = spoken.unwrap_or(rest);
    let span = |text: &str| text.trim().parse::<Span>().map_err(|_| format!("`{text}` is no span"));
    let end = match text.strip_prefix("until ") {
        _ if text == "to rest" => Time::MAX,
        Some(instant) => Time(0) + span(instant)?,
        None => session.now() + span(text)?,
    };
    if !session.run_until(end) {
        return Err("it does not come to rest".to_owned());
    }
    let news = session.news();
    let mut lines = if spoken.is_some() { Vec::new() } else { story(scenario, &news) };
    if lines.is_empty() {
        lines.push(format!("it is {} ms", millis(session.now())));
    }
    Ok(lines)
}

/// Whole microseconds are enough for reading.
fn millis(at: Time) -> String {
    let micros = at.0 / 1_000;
    format!("{}.{:03}", micros / 1_000, micros % 1_000)
}

/// A line for each step; the operation's number, if there are several.
fn story(scenario: &Scenario, news: &[(Root, ChainStep)]) -> Vec<String> {
    let width = scenario.names.iter().map(String::len).max().unwrap_or(0).max("network".len());
    let line = |(root, step): &(Root, ChainStep)| {
        let mark = if step.is_bad { '✗' } else { ' ' };
        let (at, name, what) = (millis(step.at), &step.node, &step.what);
        let number = match root {
            &Root::NONE => String::new(),
            root => format!("#{}", root.0),
        };
        format!("{mark} {at:>10} ms  {number:<4}{name:<width$}  {what}")
    };
    news.iter().map(line).collect()
}

fn nodes(scenario: &Scenario, session: &Session) -> Vec<String> {
    let width = scenario.names.iter().map(String::len).max().unwrap_or(0);
    let line = |(id, state): &(NodeId, stormglass::explore::NodeState)| {
        let status = match state.status {
            Status::Up => "up",
            Status::Paused => "paused",
            Status::Draining => "draining",
            Status::Down => "down",
        };
        let (name, machine) = (scenario.node(*id), state.machine);
        let (jobs, refused) = (machine.jobs, machine.refused);
        let (working, waiting) = (machine.working, machine.waiting);
        format!(
            "{name:<width$}  {status:<6}  {working} working, {waiting} queued, {jobs} done, \
             {refused} refused"
        )
    };
    session.nodes().iter().map(line).collect()
}

/// `disk NODE`: what is written there.
fn disk(scenario: &Scenario, session: &Session, rest: &str) -> Output {
    let id = node(scenario, rest)?;
    let mut lines: Vec<String> = Vec::new();
    for (entry, is_durable) in session.disk(id) {
        let state = if is_durable { "durable" } else { "volatile" };
        let what = session.spelling(entry.what);
        let change = |row: &Row| {
            let table = session.spelling(row.table);
            match row.change {
                Change::Set(value) => format!("{table} = {value}"),
                Change::Give(value) => format!("{table} +{value}"),
                Change::Take(value) => format!("{table} -{value}"),
                Change::Emit { event, value, .. } => {
                    format!("event {} {value}", session.spelling(event))
                }
                Change::Relayed => format!("event {} as published", row.key),
            }
        };
        let rows: Vec<String> = entry.rows.iter().map(change).collect();
        let (key, value) = (entry.key, entry.value);
        lines.push(match rows.is_empty() {
            true => format!("{state:<8}  {what} {key} {value}"),
            false => format!("{state:<8}  #{} {}", entry.root.0, rows.join(", ")),
        });
    }
    let usage = session.nodes().iter().find(|(known, _)| *known == id).map(|(_, state)| state.disk);
    let usage = usage.unwrap_or_default();
    lines.push(format!("{} writes, {} syncs, {} lost", usage.writes, usage.syncs, usage.lost));
    Ok(lines)
}

fn counts(session: &Session) -> Vec<String> {
    let counts = session.counts();
    vec![format!(
        "{} requests, {} replies, {} lost, {} resent, {} too late",
        counts.requests, counts.replies, counts.lost, counts.resent, counts.orphans
    )]
}
