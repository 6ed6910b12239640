//! The command line.

use std::path::PathBuf;

use crate::answer::Answer;
use crate::filter::Filter;

/// What to play.
#[derive(Debug)]
pub struct Options {
    pub module: Option<PathBuf>,
    pub policy: Option<String>,
    pub store: Option<String>,
    pub arguments: Vec<String>,
    pub services: Option<PathBuf>,
    pub service: String,
    pub ruser: Option<String>,
    pub tty: Option<String>,
    pub account_user: Option<String>,
    pub job: Job,
    pub jobs: bool,
    pub calls: usize,
    pub repeat: usize,
    pub sessions: usize,
    pub restore: Vec<(PathBuf, PathBuf)>,
    /// Resource limits, by number, set before authenticate.
    pub limits: Vec<(u32, u64)>,
    pub filter: Filter,
    pub flags: Flags,
}

/// Who logs in, and how the prompts are answered.
#[derive(Clone, Debug, Default)]
pub struct Job {
    pub user: Option<Vec<u8>>,
    pub rhost: Option<String>,
    pub answers: Vec<Answer>,
}

/// The options that are there or not.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // switches of a command line
pub struct Flags {
    pub silent: bool,
    pub no_auth: bool,
    pub setcred: bool,
    pub acct: bool,
    pub brief: bool,
    pub linger: bool,
    pub tell: bool,
    pub no_times: bool,
}

impl Options {
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words;
        while let Some(word) = words.next() {
            if !options.take_switch(&word) {
                let value = words.next().ok_or_else(|| format!("`{word}` is not known or has no value"))?;
                options.take_value(&word, value)?;
            }
        }
        Ok(options)
    }

    fn take_switch(&mut self, word: &str) -> bool {
        let switch = match word {
            "--silent" => &mut self.flags.silent,
            "--no-auth" => &mut self.flags.no_auth,
            "--setcred" => &mut self.flags.setcred,
            "--acct" => &mut self.flags.acct,
            "--brief" => &mut self.flags.brief,
            "--linger" => &mut self.flags.linger,
            "--tell" => &mut self.flags.tell,
            "--no-times" => &mut self.flags.no_times,
            "--jobs" => &mut self.jobs,
            "--no-user" => {
                self.job.user = None;
                return true;
            }
            _ => return false,
        };
        *switch = true;
        true
    }

    fn take_value(&mut self, word: &str, value: String) -> Result<(), String> {
        match word {
            "--module" => self.module = Some(value.into()),
            "--policy" => self.policy = Some(value),
            "--store" => self.store = Some(value),
            "--argument" => self.arguments.push(value),
            "--services" => self.services = Some(value.into()),
            "--service" => self.service = value,
            "--user" => self.job.user = Some(user_name(&value)?),
            "--rhost" => self.job.rhost = Some(value),
            "--ruser" => self.ruser = Some(value),
            "--tty" => self.tty = Some(value),
            "--account-user" => self.account_user = Some(value),
            "--answer" => self.job.answers.push(Answer::parse(&value)?),
            "--calls" => self.calls = count(&value)?,
            "--repeat" => self.repeat = count(&value)?,
            "--sessions" => self.sessions = count(&value)?,
            "--allow-calls" => self.filter = Filter::Only(numbers(&value)?),
            "--deny-call" => self.filter = Filter::AllBut(numbers(&value)?),
            "--restore" => {
                let (from, to) = value.split_once(':').ok_or("--restore wants FROM:TO")?;
                self.restore.push((from.into(), to.into()));
            }
            "--limit" => {
                let (resource, most) = value.split_once(':').ok_or("--limit wants RESOURCE:MOST")?;
                let most = most.parse().map_err(|_| format!("`{most}` is no number"))?;
                self.limits.push((numbers(resource)?[0], most));
            }
            _ => return Err(format!("`{word}` is not known")),
        }
        Ok(())
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            module: None,
            policy: None,
            store: None,
            arguments: Vec::new(),
            services: None,
            service: "pamdrive".to_owned(),
            ruser: None,
            tty: None,
            account_user: None,
            job: Job { user: Some(b"alice".to_vec()), ..Job::default() },
            jobs: false,
            calls: 1,
            repeat: 1,
            sessions: 1,
            restore: Vec::new(),
            limits: Vec::new(),
            filter: Filter::default(),
            flags: Flags::default(),
        }
    }
}

impl Job {
    /// A line of standard input: the user, `rhost=ADDRESS` where there is one, and the answers, separated by
    /// tabulators.
    pub fn parse(line: &str) -> Result<Self, String> {
        let mut fields = line.split('\t');
        let user = user_name(fields.next().unwrap_or_default())?;
        let mut job = Self { user: Some(user), ..Self::default() };
        for field in fields {
            match field.strip_prefix("rhost=") {
                Some(rhost) => job.rhost = Some(rhost.to_owned()),
                None => job.answers.push(Answer::parse(field)?),
            }
        }
        Ok(job)
    }
}

fn user_name(text: &str) -> Result<Vec<u8>, String> {
    text.strip_prefix("hex:").map_or_else(|| Ok(text.as_bytes().to_vec()), bytes_of_hex)
}

/// Bytes written as hexadecimal digits.
pub fn bytes_of_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.ok_or_else(|| format!("`{text}` is not hexadecimal"))?;
    let byte =
        |pair: &[u32]| pair.iter().fold(0, |byte: u8, digit| byte << 4 | u8::try_from(*digit).unwrap_or(0));
    Ok(digits.chunks(2).map(byte).collect())
}

fn numbers(text: &str) -> Result<Vec<u32>, String> {
    text.split(',').map(|word| word.parse().map_err(|_| format!("`{word}` is no number"))).collect()
}

fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}
