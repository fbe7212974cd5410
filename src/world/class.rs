//! Classes of requests: how important each is, and whose.

use super::World;
use crate::engine::Class;

/// What the world knows of a class of requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClassTraits {
    /// How important its requests are: 0 before 1 before 2.
    pub priority: u8,
    /// Whose they are: a tenant's place in the scenario's list.
    pub tenant: u16,
}

impl World {
    /// From now on these are the classes of requests, by [`Class`].
    pub fn set_classes(&mut self, classes: Vec<ClassTraits>) {
        self.classes = classes;
    }

    /// What is known of a class; of one that is not in the table, that it is an ordinary one.
    #[inline]
    pub fn class(&self, class: Class) -> ClassTraits {
        self.classes.get(usize::from(class.0)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::NetworkSpec;

    #[test]
    fn a_class_has_the_traits_of_its_place_and_an_unknown_one_is_ordinary() {
        let mut world = World::new(1, NetworkSpec::ideal());
        let low = ClassTraits { priority: 2, tenant: 1 };
        world.set_classes(vec![ClassTraits::default(), low]);
        assert_eq!(world.class(Class(1)), low);
        assert_eq!(world.class(Class(9)), ClassTraits::default());
    }
}
