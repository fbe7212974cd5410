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
        Invariant::Settled { .. } => &[],
    }
}
