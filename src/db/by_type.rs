//! The state of each declared query and batch, by its type.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// At most one value of each type. Clones share them.
#[derive(Clone, Default)]
pub(super) struct ByType(Arc<Mutex<HashMap<TypeId, Box<dyn Any + Send>>>>);

impl ByType {
    /// A clone of the value of type `T`. The first call creates it by `Default`.
    pub(super) fn get<T: Clone + Default + Send + 'static>(&self) -> T {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = values
            .entry(TypeId::of::<T>())
            .or_insert_with(|| Box::new(T::default()));
        // Cannot fail: the key is the type of the value.
        value.downcast_ref().cloned().unwrap_or_default()
    }
}

impl fmt::Debug for ByType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByType").finish_non_exhaustive()
    }
}
