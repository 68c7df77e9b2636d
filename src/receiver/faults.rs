//! Failing on purpose: which requests, and how.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use axum::http::StatusCode;
use parking_lot::Mutex;

/// The rules' grammar, as `--help` and the manual give it.
pub const GRAMMAR: &str = "\
A fault rule is  <route>:<key>=<value>,<key>=<value>,...

  routes   time samples tags create link presign put end status, or any

  which requests of that route (all that are given must agree)
    skip=N            let the first N pass
    every=N           then only each Nth
    times=N           N times in all
    chance=P          with that probability, 0 to 1
    chunk=K           only those about chunk K (presign, put, any)

  what happens (at most one of these)
    status=CODE       answered with this status; nothing is done
    redirect=URL      answered with 307 to that URL; nothing is done
    cut=request       the connection is reset at once; nothing is done
    cut=N             the connection is reset after N bytes of the body
    cut=answer        the work is done, then the connection is reset
    hang=request      never answered, the body is not read; nothing is done
    hang=answer       the work is done, but never answered
    body=WHAT         the work is done, the answer's body is empty, garbage (not JSON), null,
                      wrong (JSON of another shape), huge (64 MiB) or half (then cut)
    url_ttl=S         presigned URLs live S seconds; 0: they are expired when issued

  added to a status
    body=WHAT         as above, or request_timeout (what object storage says of a stalled body)
    retry_after=S     a Retry-After header of S seconds
    retry_after_date=S  the same as an HTTP date S seconds ahead

  added to anything, or alone
    delay_ms=N        wait that long first
    bytes_per_s=N     read the body no faster than this

The first rule that fires decides; the others do not count that request as theirs.
";

const ROUTES: [(&str, Route); 10] = [
    ("time", Route::Time),
    ("samples", Route::Samples),
    ("tags", Route::Tags),
    ("create", Route::Create),
    ("link", Route::Link),
    ("presign", Route::Presign),
    ("put", Route::Put),
    ("end", Route::End),
    ("status", Route::Status),
    ("any", Route::Any),
];

/// The routes a rule can name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Route {
    Time,
    Samples,
    Tags,
    Create,
    Link,
    Presign,
    Put,
    End,
    Status,
    /// In a rule: every route. Of a request: none of the above.
    Any,
}

/// What a rule does to a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    /// The rule as it was written.
    pub(super) rule: String,
    pub(super) delay: Duration,
    pub(super) bytes_per_s: Option<u64>,
    pub(super) act: Act,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    None,
    Status { status: StatusCode, body: Option<Garble>, retry_after: Option<RetryAfter> },
    Redirect(String),
    CutRequest,
    CutAfterBytes(u64),
    CutAnswer,
    HangRequest,
    HangAnswer,
    Garble(Garble),
    UrlTtl(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Garble {
    Empty,
    Garbage,
    Null,
    Wrong,
    Huge,
    Half,
    RequestTimeout,
}

const GARBLES: [(&str, Garble); 7] = [
    ("empty", Garble::Empty),
    ("garbage", Garble::Garbage),
    ("null", Garble::Null),
    ("wrong", Garble::Wrong),
    ("huge", Garble::Huge),
    ("half", Garble::Half),
    ("request_timeout", Garble::RequestTimeout),
];

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum RetryAfter {
    Seconds(u64),
    Date(Duration),
}

impl RetryAfter {
    pub(super) fn header(self) -> String {
        match self {
            Self::Seconds(seconds) => seconds.to_string(),
            // A date has whole seconds: the next one, so that it is never sooner than asked.
            Self::Date(ahead) => httpdate::fmt_http_date(SystemTime::now() + ahead + Duration::from_millis(999)),
        }
    }
}

/// One rule and how far it has come.
#[derive(Debug)]
struct Rule {
    route: Route,
    chunk: Option<u64>,
    skip: u64,
    every: u64,
    times: u64,
    chance: f64,
    fault: Fault,
    seen: u64,
    fired: u64,
}

impl Rule {
    fn concerns(&self, route: Route, chunk: Option<u64>) -> bool {
        (self.route == Route::Any || self.route == route) && (self.chunk.is_none() || self.chunk == chunk)
    }

    fn fires(&mut self) -> bool {
        self.seen += 1;
        let turn = self.seen > self.skip && (self.seen - self.skip).is_multiple_of(self.every);
        let fires = turn && self.fired < self.times && (self.chance >= 1.0 || fastrand::f64() < self.chance);
        self.fired += u64::from(fires);
        fires
    }
}

/// All rules in force.
#[derive(Default)]
pub(super) struct Faults {
    rules: Mutex<Vec<Rule>>,
}

impl Faults {
    /// Puts new rules, one a line, in the place of all there are. A bad one changes nothing.
    pub(super) fn replace(&self, text: &str) -> Result<(), String> {
        let fresh = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        *self.rules.lock() = fresh;
        Ok(())
    }

    /// What the rules have in mind for a request.
    pub(super) fn decide(&self, route: Route, chunk: Option<u64>) -> Option<Fault> {
        let mut rules = self.rules.lock();
        let rule = rules.iter_mut().find_map(|rule| (rule.concerns(route, chunk) && rule.fires()).then_some(rule))?;
        Some(rule.fault.clone())
    }

    /// Each rule and how often it has fired.
    pub(super) fn fired(&self) -> Vec<(String, u64)> {
        self.rules.lock().iter().map(|rule| (rule.fault.rule.clone(), rule.fired)).collect()
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).map_err(|why| format!("fault rule `{text}`: {why}"))
    }
}

fn parse(text: &str) -> Result<Rule, String> {
    let (route, settings) =
        text.split_once(':').ok_or("a route, a colon and what is to happen are wanted, as in put:status=503,times=2")?;
    let route = named(&ROUTES, "route", route)?;
    let mut rule = Rule {
        route,
        chunk: None,
        skip: 0,
        every: 1,
        times: u64::MAX,
        chance: 1.0,
        fault: Fault { rule: text.to_owned(), delay: Duration::ZERO, bytes_per_s: None, act: Act::None },
        seen: 0,
        fired: 0,
    };
    let mut act = None;
    let mut body = None;
    let mut retry_after = None;
    let mut given: Vec<&str> = Vec::new();
    for setting in settings.split(',') {
        let (key, value) = setting.split_once('=').ok_or_else(|| format!("`{setting}` lacks its value: key=value is wanted"))?;
        let (key, value) = (key.trim(), value.trim());
        if given.contains(&key) {
            return Err(format!("{key} is given twice"));
        }
        given.push(key);
        let action = match key {
            "skip" => {
                rule.skip = number(key, value, 0)?;
                continue;
            }
            "every" => {
                rule.every = number(key, value, 1)?;
                continue;
            }
            "times" => {
                rule.times = number(key, value, 1)?;
                continue;
            }
            "chance" => {
                rule.chance = chance(value)?;
                continue;
            }
            "chunk" => {
                rule.chunk = Some(number(key, value, 0)?);
                continue;
            }
            "delay_ms" => {
                rule.fault.delay = Duration::from_millis(number(key, value, 1)?);
                continue;
            }
            "bytes_per_s" => {
                rule.fault.bytes_per_s = Some(number(key, value, 1)?);
                continue;
            }
            "body" => {
                body = Some(named(&GARBLES, "body", value)?);
                continue;
            }
            "retry_after" => {
                retry_after = Some(RetryAfter::Seconds(number(key, value, 0)?));
                continue;
            }
            "retry_after_date" => {
                retry_after = Some(RetryAfter::Date(Duration::from_secs(number(key, value, 0)?)));
                continue;
            }
            "status" => Act::Status { status: status(value)?, body: None, retry_after: None },
            "redirect" if value.starts_with("http://") || value.starts_with("https://") => Act::Redirect(value.to_owned()),
            "redirect" => {
                return Err(format!("redirect: a URL that starts with http:// or https:// is wanted, not `{value}`"));
            }
            "cut" => match value {
                "request" => Act::CutRequest,
                "answer" => Act::CutAnswer,
                bytes => Act::CutAfterBytes(
                    number(key, bytes, 0)
                        .map_err(|_| format!("cut: request, answer or a number of bytes is wanted, not `{bytes}`"))?,
                ),
            },
            "hang" => match value {
                "request" => Act::HangRequest,
                "answer" => Act::HangAnswer,
                other => return Err(format!("hang: request or answer is wanted, not `{other}`")),
            },
            "url_ttl" => Act::UrlTtl(Duration::from_secs(number(key, value, 0)?)),
            other => {
                return Err(format!("there is no key `{other}`; see the fault rules in the manual"));
            }
        };
        if act.replace(action).is_some() {
            return Err("only one of status, redirect, cut, hang and url_ttl can happen to a request".into());
        }
    }
    rule.fault.act = match (act, body, retry_after) {
        (Some(Act::Status { status, .. }), body, retry_after) => Act::Status { status, body, retry_after },
        (_, _, Some(_)) => {
            return Err("retry_after belongs to a status, as in presign:status=429,retry_after=2".into());
        }
        (None, Some(Garble::RequestTimeout), None) => {
            return Err("body=request_timeout belongs to a status, as in put:status=400,body=request_timeout".into());
        }
        (None, Some(body), None) => Act::Garble(body),
        (Some(_), Some(_), None) => return Err("body stands alone or beside a status".into()),
        (Some(act), None, None) => act,
        (None, None, None) => Act::None,
    };
    if rule.fault.act == Act::None && rule.fault.delay.is_zero() && rule.fault.bytes_per_s.is_none() {
        return Err("it does not say what happens: status, redirect, cut, hang, body, url_ttl, delay_ms or bytes_per_s".into());
    }
    if rule.chunk.is_some() && !matches!(route, Route::Presign | Route::Put | Route::Any) {
        return Err("chunk goes with the routes presign, put and any only".into());
    }
    if matches!(rule.fault.act, Act::UrlTtl(_)) && route != Route::Presign {
        return Err("url_ttl goes with the route presign only".into());
    }
    Ok(rule)
}

fn named<T: Copy>(names: &[(&str, T)], what: &str, text: &str) -> Result<T, String> {
    names.iter().find(|(name, _)| *name == text.trim()).map(|(_, it)| *it).ok_or_else(|| {
        let names = names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        format!("there is no {what} `{}`; there are {names}", text.trim())
    })
}

fn number(key: &str, text: &str, least: u64) -> Result<u64, String> {
    // Bounded so that no sum of durations can overflow.
    text.parse()
        .ok()
        .filter(|number| (least..1 << 40).contains(number))
        .ok_or_else(|| format!("{key}: a whole number from {least} on is wanted, not `{text}`"))
}

fn chance(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|chance| (0.0..=1.0).contains(chance))
        .ok_or_else(|| format!("chance: a number from 0 to 1 is wanted, not `{text}`"))
}

fn status(text: &str) -> Result<StatusCode, String> {
    // 1xx is no final answer.
    text.parse()
        .ok()
        .filter(|status: &StatusCode| (200..600).contains(&status.as_u16()))
        .ok_or_else(|| format!("status: a number from 200 to 599 is wanted, not `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firings(rule: &str, requests: usize) -> Vec<usize> {
        let faults = Faults::default();
        faults.replace(rule).unwrap();
        (0..requests).filter(|_| faults.decide(Route::Put, Some(5)).is_some()).collect()
    }

    #[test]
    fn a_rule_picks_the_requests_it_names() {
        assert_eq!(firings("put:status=503,times=2", 5), [0, 1]);
        assert_eq!(firings("put:status=503,skip=2,times=1", 5), [2]);
        assert_eq!(firings("any:status=503,every=3", 7), [2, 5]);
        assert_eq!(firings("put:status=503,skip=1,every=2", 7), [2, 4, 6]);
        assert_eq!(firings("put:cut=10,chunk=5,times=1", 3), [0]);
        assert_eq!(firings("put:cut=10,chunk=4", 3), [0; 0]);
        assert_eq!(firings("presign:cut=10", 3), [0; 0]);
        assert_eq!(firings("put:delay_ms=1,chance=0", 50), [0; 0]);
    }

    #[test]
    fn the_first_rule_that_fires_decides() {
        let faults = Faults::default();
        faults.replace("# a bad day\nput:status=503,times=1\n\nany:status=500,times=1\n").unwrap();
        let status = |fault: Option<Fault>| match fault?.act {
            Act::Status { status, .. } => Some(status.as_u16()),
            _ => None,
        };
        assert_eq!(status(faults.decide(Route::Put, None)), Some(503));
        assert_eq!(status(faults.decide(Route::Put, None)), Some(500));
        assert_eq!(status(faults.decide(Route::Put, None)), None);
        assert_eq!(faults.fired().iter().map(|(_, fired)| *fired).collect::<Vec<_>>(), [1, 1]);
    }

    #[test]
    fn a_bad_rule_is_refused_with_what_would_be_right_and_changes_nothing() {
        let faults = Faults::default();
        faults.replace("put:status=503").unwrap();
        for (rule, why) in [
            ("put", "a colon"),
            ("putt:status=503", "there is no route `putt`; there are time, samples"),
            ("put:", "lacks its value"),
            ("put:times=3", "does not say what happens"),
            ("put:stauts=503", "no key `stauts`"),
            ("put:status=99", "200 to 599"),
            ("put:status=503,status=500", "twice"),
            ("put:status=503,cut=answer", "only one of"),
            ("put:retry_after=3", "belongs to a status"),
            ("put:cut=answer,retry_after=3", "belongs to a status"),
            ("put:cut=sometimes", "request, answer or a number of bytes"),
            ("put:cut=5,body=empty", "stands alone or beside a status"),
            ("put:hang=1", "request or answer"),
            ("put:every=0,status=500", "from 1 on"),
            ("put:delay_ms=99999999999999999", "whole number"),
            ("put:chance=2,status=500", "from 0 to 1"),
            ("create:chunk=3,status=500", "presign, put and any only"),
            ("put:url_ttl=0", "presign only"),
            ("put:body=funny", "there is no body `funny`; there are empty"),
            ("put:body=request_timeout", "belongs to a status"),
            ("create:redirect=ftp://x", "http://"),
        ] {
            let refusal = faults.replace(rule).unwrap_err();
            assert!(refusal.contains(why) && refusal.contains(rule), "{rule}: {refusal}");
        }
        assert_eq!(faults.fired(), [("put:status=503".to_owned(), 0)]);
    }

    #[test]
    fn every_route_and_body_a_rule_can_name_is_in_the_grammar() {
        for name in ROUTES.iter().map(|(name, _)| name).chain(GARBLES.iter().map(|(name, _)| name)) {
            assert!(GRAMMAR.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == *name), "{name}");
        }
    }
}
