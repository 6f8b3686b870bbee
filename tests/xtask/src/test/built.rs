//! What several steps run, built by the first that needs it.

use std::sync::{Mutex, PoisonError};

use anyhow::Result;

/// Built once, as steps that run at once must not replace it beneath each other, nor wait for each other's cargo. What
/// could not be built is tried again by the next.
pub(super) struct Built<T>(Mutex<Option<T>>);

impl<T: Clone> Built<T> {
    pub(super) const fn not_yet() -> Self {
        Self(Mutex::new(None))
    }

    pub(super) fn once(&self, build: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut built = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = built.as_ref() {
            return Ok(known.clone());
        }
        let made = build()?;
        *built = Some(made.clone());
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn what_several_steps_run_is_built_once_and_again_only_where_that_failed() {
        let built = Built::not_yet();
        assert!(built.once(|| Err(anyhow!("no compiler"))).is_err());
        let mut times = 0;
        for _ in 0..2 {
            built
                .once(|| {
                    times += 1;
                    Ok(())
                })
                .unwrap();
        }
        assert_eq!(times, 1);
    }
}
