//! `rheed-receiver`: the embedded ingest service as a program.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rheed_stream::receiver::{FAULT_GRAMMAR, Receiver, Settings};

const USAGE: &str = "\
rheed-receiver: an ingest service for RHEED streams, on this computer

  --listen ADDRESS:PORT   where to listen (127.0.0.1:0: loopback, any free port)
  --data DIR              where streams are kept, each a Zarr group (./rheed-data)
  --key KEY               the API key clients must send (else RHEED_RECEIVER_KEY, else one is made up and printed;
                          others on this computer can see a command line, but not an environment)
  --url-ttl SECONDS       how long an upload URL lives (300)
  --max-body BYTES        the longest shard taken (2147483648)
  --prefix PATH           a path before every route, like /api/v2
  --public-url URL        scheme, host and port by which clients come, where a TLS terminator stands before it
  --fault RULE            fail on purpose; may be given several times
  --clock-offset-ms N     how far /gateway/time is ahead of this computer's clock (0)
  --verify-frames         decompress every frame before a shard is taken
  --discard               read shards, count them and throw them away unseen: to measure how fast a client is
  --quiet                 do not tell of streams and chunks
  --help, --version

The first line printed is `listening on URL`. Ctrl-C ends it; started again on the same folder it goes on.
";

fn main() -> ExitCode {
    let arguments: Option<Vec<String>> = std::env::args_os().skip(1).map(|it| it.into_string().ok()).collect();
    let command = arguments.ok_or("arguments in UTF-8 are wanted".to_owned()).and_then(parse);
    match command {
        Ok(Command::Help) => print(&format!("{USAGE}\n{FAULT_GRAMMAR}")),
        Ok(Command::Version) => print(concat!("rheed-receiver ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Command::Run(settings)) => match run(*settings) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("rheed-receiver: {error}");
                // What a setting's value brought about is the caller's to mend, like a bad argument.
                ExitCode::from(if error.kind() == io::ErrorKind::InvalidInput { 2 } else { 1 })
            }
        },
        Err(why) => {
            eprintln!("rheed-receiver: {why}\nrheed-receiver --help lists all arguments");
            ExitCode::from(2)
        }
    }
}

enum Command {
    Help,
    Version,
    Run(Box<Settings>),
}

fn parse(arguments: Vec<String>) -> Result<Command, String> {
    let mut settings = Settings::new("rheed-data");
    settings.key = std::env::var("RHEED_RECEIVER_KEY").ok().filter(|key| !key.is_empty());
    settings.log = Some(Arc::new(tell));
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        // --name value and --name=value are the same.
        let (name, mut value) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
            _ => (argument, None),
        };
        match name.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--version" | "-V" => return Ok(Command::Version),
            "--quiet" | "--verify-frames" | "--discard" if value.is_some() => {
                return Err(format!("{name} takes no value"));
            }
            "--quiet" => settings.log = None,
            "--verify-frames" => settings.verify_frames = true,
            "--discard" => settings.discard = true,
            "--listen" | "--data" | "--key" | "--url-ttl" | "--max-body" | "--prefix" | "--public-url" | "--fault"
            | "--clock-offset-ms" => {
                let value = value.take().or_else(|| arguments.next()).ok_or_else(|| format!("{name} lacks its value"))?;
                set(&mut settings, &name, &value)?;
            }
            other => return Err(format!("there is no argument `{other}`")),
        }
    }
    Ok(Command::Run(Box::new(settings)))
}

fn set(settings: &mut Settings, name: &str, value: &str) -> Result<(), String> {
    let wanted = |what: &str| format!("{name}: {what} is wanted, not `{value}`");
    let number = |what: &str| value.parse::<u64>().map_err(|_| wanted(what));
    match name {
        "--listen" => settings.listen = value.parse().map_err(|_| wanted("an address and a port, like 127.0.0.1:8080,"))?,
        "--data" => settings.data = value.into(),
        "--key" => settings.key = Some(value.to_owned()),
        "--url-ttl" => settings.url_ttl = Duration::from_secs(number("a whole number of seconds")?),
        "--max-body" => settings.max_body = number("a whole number of bytes")?,
        "--prefix" => settings.prefix = value.to_owned(),
        "--public-url" => settings.public_url = Some(value.to_owned()),
        "--clock-offset-ms" => settings.clock_offset_ms = value.parse().map_err(|_| wanted("a number of milliseconds"))?,
        _ => {
            settings.faults.push_str(value);
            settings.faults.push('\n');
        }
    }
    Ok(())
}

fn run(settings: Settings) -> io::Result<()> {
    let made_up_key = settings.key.is_none();
    let beyond_loopback = !settings.listen.ip().is_loopback();
    let receiver = Receiver::start(settings)?;
    tell(&format!("listening on {}", receiver.url()));
    if made_up_key {
        tell(&format!("key: {}", receiver.key()));
    }
    if beyond_loopback {
        eprintln!("rheed-receiver: listening beyond loopback in plain http: key and frames can be read on the way");
    }
    wait_for_the_end()?;
    receiver.stop();
    Ok(())
}

/// Returns on Ctrl-C, or when asked to terminate.
fn wait_for_the_end() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        #[cfg(unix)]
        {
            let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
            tokio::select! {
                _ = terminate.recv() => Ok(()),
                interrupt = tokio::signal::ctrl_c() => interrupt,
            }
        }
        #[cfg(not(unix))]
        tokio::signal::ctrl_c().await
    })
}

/// A line on stdout, at once. A reader that has gone away is no reason to stop receiving.
fn tell(line: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
