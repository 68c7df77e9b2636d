//! Errors inside the library (panics) stay inside it: they become a sentence, and are not printed into the host's terminal.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local!(static INSIDE: Cell<bool> = const { Cell::new(false) });

/// Runs something; a panic in it becomes its message.
pub fn contained<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    let before = INSIDE.replace(true);
    let done = catch_unwind(AssertUnwindSafe(body));
    INSIDE.set(before);
    done.map_err(|payload| message(&*payload))
}

/// From now on this thread is the library's own.
pub fn contain_thread() {
    INSIDE.set(true);
}

/// What a panic said.
pub fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or("no words".into())
}

/// Panics inside the library print nothing; others do as before.
pub fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !INSIDE.get() {
                before(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        silence();
        assert_eq!(contained(|| panic!("number {}", 7)), Err::<(), _>("number 7".into()));
        assert_eq!(contained(|| 7), Ok(7));
    }
}
