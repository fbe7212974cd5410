//! Classes of requests: what each is called, how important it is, and whose.

use super::World;
use crate::engine::{Class, Name};

/// A class of requests, as those who begin requests declare it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClassInfo {
    /// Its name.
    pub name: Name,
    /// How important its requests are: 0 before 1 before 2.
    pub priority: u8,
    /// Whose they are; nobody's in particular if `None`.
    pub tenant: Option<Name>,
}

/// What the world knows of a class of requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClassTraits {
    /// How important its requests are: 0 before 1 before 2.
    pub priority: u8,
    /// Whose they are: a tenant's place in the scenario's list, from 1; 0 is nobody in particular.
    pub tenant: u16,
}

impl World {
    /// From now on these are the classes of requests, by [`Class`]; the first is that of what was
    /// given none.
    pub fn set_classes(&mut self, classes: Vec<ClassTraits>) {
        self.classes = classes;
    }

    /// From now on these are the classes of requests, from place 1 on; tenants are numbered in the
    /// order in which they come.
    pub fn declare_classes(&mut self, classes: &[ClassInfo]) {
        let mut tenants: Vec<Name> = Vec::new();
        let mut place = |tenant: Name| {
            let known = tenants.iter().position(|other| *other == tenant);
            let place = known.unwrap_or_else(|| {
                tenants.push(tenant);
                tenants.len() - 1
            });
            place as u16 + 1
        };
        let traits = |class: &ClassInfo| ClassTraits {
            priority: class.priority,
            tenant: class.tenant.map_or(0, &mut place),
        };
        let traits = classes.iter().map(traits);
        self.classes = std::iter::once(ClassTraits::default()).chain(traits).collect();
        self.class_names = classes.iter().map(|class| class.name).collect();
        self.tenants = tenants;
    }

    /// What is known of a class; of one that is not in the table, that it is an ordinary one.
    #[inline]
    pub fn class(&self, class: Class) -> ClassTraits {
        self.classes.get(usize::from(class.0)).copied().unwrap_or_default()
    }

    /// The tenant at this place; `None` for nobody in particular.
    pub fn tenant(&self, place: u16) -> Option<Name> {
        self.tenants.get(usize::from(place.checked_sub(1)?)).copied()
    }

    /// The class of this name.
    pub fn class_named(&self, name: Name) -> Option<Class> {
        let place = self.class_names.iter().position(|known| *known == name)?;
        Some(Class(u8::try_from(place + 1).ok()?))
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

    #[test]
    fn classes_that_are_declared_are_known_by_name_and_share_their_tenants() {
        let mut world = World::new(1, NetworkSpec::ideal());
        let class = |name, priority, tenant: Option<&str>| ClassInfo {
            name: Name::of(name),
            priority,
            tenant: tenant.map(Name::of),
        };
        world.declare_classes(&[
            class("browse", 3, None),
            class("buy", 1, Some("acme")),
            class("sell", 0, Some("bolt")),
            class("return", 2, Some("acme")),
        ]);
        let named = |name| world.class(world.class_named(Name::of(name)).expect("it is known"));
        let of = |name| (named(name).priority, named(name).tenant);
        let all = ["browse", "buy", "sell", "return"].map(of);
        assert_eq!(all, [(3, 0), (1, 1), (0, 2), (2, 1)]);
        assert_eq!(world.class_named(Name::of("other")), None);
        assert_eq!(
            [0, 1, 2, 3].map(|place| world.tenant(place)),
            [None, Some(Name::of("acme")), Some(Name::of("bolt")), None]
        );
        assert_eq!(world.class(Class(0)), ClassTraits::default());
    }
}
