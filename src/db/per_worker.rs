//! What one worker keeps of each declared query and batch.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// One value of each type that was asked for. Clones share them.
#[derive(Clone, Default)]
pub(super) struct PerWorker(Arc<Mutex<HashMap<TypeId, Box<dyn Any + Send>>>>);

impl PerWorker {
    /// A clone of the value of type `T`, which is its default at first.
    pub(super) fn get<T: Clone + Default + Send + 'static>(&self) -> T {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = values
            .entry(TypeId::of::<T>())
            .or_insert_with(|| Box::new(T::default()));
        // The type is that of its key.
        value.downcast_ref().cloned().unwrap_or_default()
    }
}

impl fmt::Debug for PerWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerWorker").finish_non_exhaustive()
    }
}
