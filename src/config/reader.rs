//! Reads a setting from the environment, or from a file that another setting names.

use std::fs;

use super::Setting;

/// Reads settings by name with `lookup`, and collects the errors.
pub(super) struct SettingsReader<L> {
    lookup: L,
    pub(super) errors: Vec<String>,
}

impl<L: Fn(&str) -> Option<String>> SettingsReader<L> {
    pub(super) fn new(lookup: L) -> Self {
        Self {
            lookup,
            errors: Vec::new(),
        }
    }

    pub(super) fn read<T>(
        &mut self,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(setting);
        self.parsed(setting, text.as_deref().unwrap_or(setting.default), parse)
    }

    /// Like [`read`](Self::read), but the value may be in the file that `file` names. Errors repeat
    /// neither the path, which may be the secret itself, set by mistake, nor the content.
    pub(super) fn read_or_file<T>(
        &mut self,
        setting: &Setting,
        file: &Setting,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let Some(path) = self.text(file) else {
            return self.read(setting, parse);
        };
        if self.is_set(setting) {
            self.error_both(file, setting);
            return None;
        }
        match fs::read_to_string(path.trim()) {
            Ok(text) if text.trim().is_empty() => self.error(file, "is an empty file"),
            Ok(text) => return self.parsed(file, &text, parse),
            Err(error) => self.error(file, &format!("cannot be read: {error}")),
        }
        None
    }

    fn parsed<T>(
        &mut self,
        setting: &Setting,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match parse(text.trim()) {
            Ok(value) => Some(value),
            Err(error) => {
                self.error(setting, &error);
                None
            }
        }
    }

    pub(super) fn error(&mut self, setting: &Setting, error: &str) {
        self.errors.push(format!("{}: {error}", setting.name));
    }

    /// Reports that `setting` is set together with `other`.
    pub(super) fn error_both(&mut self, setting: &Setting, other: &Setting) {
        let other = other.name;
        self.error(
            setting,
            &format!("is set together with {other}; set only one of them"),
        );
    }

    fn text(&self, setting: &Setting) -> Option<String> {
        (self.lookup)(setting.name).filter(|text| !text.trim().is_empty())
    }

    pub(super) fn is_set(&self, setting: &Setting) -> bool {
        self.text(setting).is_some()
    }
}
