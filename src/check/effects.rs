//! Effects: what each business operation has given to each account, as the disks have it.

use crate::engine::{Fact, Name, NodeId, Root, Time};
use crate::scenario::{AccountRef, Invariant};

/// The account of a store that invariants name, by its place among all such accounts.
pub(crate) type AccountId = usize;

/// What an operation has given to one account: everything added up, and the amount of one gift.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Effect {
    pub net: i64,
    pub unit: i64,
    /// When it last changed.
    pub at: Time,
}

impl Effect {
    /// Is it there?
    pub fn is_applied(self) -> bool {
        self.net != 0
    }
}

/// One change of one account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub account: AccountId,
    pub delta: i64,
    /// After the change.
    pub effect: Effect,
}

/// What every operation has given to every account.
#[derive(Default)]
pub(crate) struct Effects {
    accounts: Vec<(NodeId, Name)>,
    /// By operation, then by account.
    effects: Vec<Effect>,
}

impl Effects {
    /// For the accounts that these invariants name.
    pub fn new(invariants: &[(String, Invariant)]) -> Effects {
        let mut effects = Effects::default();
        for (_, invariant) in invariants {
            for account in accounts(invariant) {
                let known = (account.store, account.account);
                if !effects.accounts.contains(&known) {
                    effects.accounts.push(known);
                }
            }
        }
        effects
    }

    /// The place of an account.
    pub fn id(&self, account: AccountRef) -> AccountId {
        let known = (account.store, account.account);
        let place = self.accounts.iter().position(|other| *other == known);
        place.expect("every account of every invariant was taken in")
    }

    /// Takes in a fact, if it is a change of one of the accounts.
    #[inline]
    pub fn read(&mut self, fact: &Fact) -> Option<Change> {
        let account = self.accounts.iter().position(|known| *known == (fact.node, fact.what))?;
        let width = self.accounts.len();
        let place = fact.root.0 as usize * width + account;
        if place >= self.effects.len() {
            self.effects.resize((fact.root.0 as usize + 1) * width, Effect::default());
        }
        let (effect, delta) = (&mut self.effects[place], fact.value as i64);
        if effect.unit == 0 {
            effect.unit = delta;
        }
        (effect.net, effect.at) = (effect.net + delta, fact.at);
        Some(Change { account, delta, effect: *effect })
    }

    /// What an operation has given to these accounts.
    pub fn of(&self, root: Root, accounts: &[AccountId]) -> Vec<Effect> {
        let row = root.0 as usize * self.accounts.len();
        let one = |account: &AccountId| self.effects.get(row + account).copied();
        accounts.iter().map(|account| one(account).unwrap_or_default()).collect()
    }

    /// The operations that may have had effects.
    pub fn roots(&self) -> impl Iterator<Item = Root> + use<> {
        let width = self.accounts.len().max(1);
        (1..self.effects.len().div_ceil(width) as u32).map(Root)
    }
}

/// The accounts that an invariant is about.
pub(crate) fn accounts(invariant: &Invariant) -> &[AccountRef] {
    match invariant {
        Invariant::Atomic { accounts }
        | Invariant::Once { accounts }
        | Invariant::Conserved { accounts }
        | Invariant::Truthful { accounts } => accounts,
        Invariant::Published { account, .. } => std::slice::from_ref(account),
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: NodeId = NodeId(3);
    const TILL: Name = Name::of("till");
    const STOCK: Name = Name::of("stock");

    fn effects() -> Effects {
        let accounts = vec![
            AccountRef { store: STORE, account: TILL },
            AccountRef { store: STORE, account: STOCK },
        ];
        let atomic = Invariant::Atomic { accounts: accounts.clone() };
        let once = Invariant::Once { accounts };
        Effects::new(&[("atomic".to_owned(), atomic), ("once".to_owned(), once)])
    }

    fn fact(node: NodeId, what: Name, root: u32, value: i64) -> Fact {
        Fact {
            at: Time(u64::from(root)),
            node,
            root: Root(root),
            what,
            key: 0,
            value: value as u64,
        }
    }

    #[test]
    fn an_account_that_two_invariants_name_is_one() {
        let effects = effects();
        assert_eq!(effects.accounts.len(), 2);
        assert_eq!(effects.id(AccountRef { store: STORE, account: STOCK }), 1);
    }

    #[test]
    fn gifts_add_up_for_each_operation_and_account() {
        let mut effects = effects();
        for value in [500, -500, 500] {
            let change = effects.read(&fact(STORE, TILL, 7, value)).expect("it is about the till");
            assert_eq!((change.account, change.delta), (0, value));
        }
        effects.read(&fact(STORE, TILL, 2, 40));
        let of = |root| effects.of(Root(root), &[0, 1]);
        assert_eq!((of(7)[0].net, of(7)[0].unit, of(7)[0].at), (500, 500, Time(7)));
        assert!(of(7)[0].is_applied() && !of(7)[1].is_applied());
        assert_eq!(
            (of(2)[0].net, of(3)[0], of(900)[0]),
            (40, Effect::default(), Effect::default())
        );
        assert_eq!(effects.roots().collect::<Vec<_>>(), (1..=7).map(Root).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_given_and_taken_back_is_not_applied() {
        let mut effects = effects();
        effects.read(&fact(STORE, STOCK, 1, 3));
        let change = effects.read(&fact(STORE, STOCK, 1, -3)).expect("it is about the stock");
        assert_eq!((change.effect.net, change.effect.unit), (0, 3));
        assert!(!change.effect.is_applied());
    }

    #[test]
    fn other_facts_are_nobodys_business() {
        let mut effects = effects();
        assert!(effects.read(&fact(NodeId(4), TILL, 1, 5)).is_none(), "another store's till");
        assert!(effects.read(&fact(STORE, Name::of("boxes"), 1, 5)).is_none());
        assert_eq!(effects.roots().count(), 0);
    }
}
