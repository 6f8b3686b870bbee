//! Parameters, looked up. Pure.

use crate::bindings::drivebay::driver::types::Error;

/// The parameters as they were written. An empty value is as good as none: templates leave such behind.
pub(crate) struct Params<'a>(pub(crate) &'a [(String, String)]);

impl<'a> Params<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    pub(crate) fn required(&self, name: &str) -> Result<&'a str, Error> {
        self.get(name)
            .ok_or_else(|| Error::InvalidArgument(format!("{name} is missing")))
    }
}
