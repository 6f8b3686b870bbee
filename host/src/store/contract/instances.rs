//! How many instances a component is made of, if each is counted whenever it is made.
//!
//! A component may have one inside that it instantiates twice, and so may that one: a kilobyte stands for a million
//! instances, and the compiler lays out each of them. Counting what each component makes once, and adding, takes no
//! time.

use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentTypeRef, Payload,
};

/// What instantiating a component once makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Made {
    /// Instances, whatever it is given.
    own: u64,
    /// How often it makes an instance of a component that it is given.
    given: u64,
}

impl Made {
    const NOTHING: Self = Self { own: 0, given: 0 };

    /// Of a component that is given.
    const GIVEN: Self = Self { own: 0, given: 1 };

    fn and(self, other: Self) -> Self {
        Self {
            own: self.own.saturating_add(other.own),
            given: self.given.saturating_add(other.given),
        }
    }

    /// With that one for whatever it is given.
    fn with(self, given: Self) -> Self {
        Self {
            own: self
                .own
                .saturating_add(self.given.saturating_mul(given.own)),
            given: self.given.saturating_mul(given.given),
        }
    }

    /// No less than either.
    fn most(self, other: Self) -> Self {
        Self {
            own: self.own.max(other.own),
            given: self.given.max(other.given),
        }
    }
}

/// A component, or one inside it, or a module, on the way through the parser.
#[derive(Debug, Default)]
struct Scope {
    is_component: bool,
    components: Vec<Made>,
    made: Made,
}

/// Counts along the payloads of a component that the validator has let through.
#[derive(Debug, Default)]
pub(super) struct Instances {
    scopes: Vec<Scope>,
    /// No component that was met makes more.
    most: Made,
}

const ONE: Made = Made { own: 1, given: 0 };

impl Instances {
    /// How many the component itself makes, known once its end was met. A lower bound before.
    pub(super) fn made(&self) -> u64 {
        self.most.own
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "of more than thirty kinds of sections a handful makes instances"
    )]
    pub(super) fn take(&mut self, payload: &Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::Version { encoding, .. } => self.scopes.push(Scope {
                is_component: *encoding == wasmparser::Encoding::Component,
                ..Scope::default()
            }),
            Payload::End(_) => self.end(),
            Payload::InstanceSection(section) => {
                let count = u64::from(section.count());
                self.make(Made {
                    own: count,
                    given: 0,
                });
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    let made = self.instance(&instance?);
                    self.make(ONE.and(made));
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    self.alias(&alias?);
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    if let ComponentTypeRef::Component(_) = import?.ty {
                        self.add(Made::GIVEN);
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    let export = export?;
                    if export.kind == ComponentExternalKind::Component {
                        self.add(self.component(0, export.index));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self) {
        let Some(scope) = self.scopes.pop().filter(|scope| scope.is_component) else {
            return;
        };
        self.most = self.most.most(scope.made);
        self.add(scope.made);
    }

    /// That many scopes further out.
    fn component(&self, outward: u32, index: u32) -> Made {
        let scope = usize::try_from(outward)
            .ok()
            .and_then(|outward| self.scopes.len().checked_sub(outward + 1))
            .and_then(|at| self.scopes.get(at));
        let component = usize::try_from(index)
            .ok()
            .and_then(|index| scope?.components.get(index));
        component.copied().unwrap_or(Made::NOTHING)
    }

    fn add(&mut self, component: Made) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.components.push(component);
        }
    }

    fn make(&mut self, made: Made) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.made = scope.made.and(made);
        }
    }

    fn instance(&self, instance: &ComponentInstance<'_>) -> Made {
        let ComponentInstance::Instantiate {
            component_index,
            args,
        } = instance
        else {
            return Made::NOTHING;
        };
        let given = args
            .iter()
            .filter(|arg| arg.kind == ComponentExternalKind::Component)
            .map(|arg| self.component(0, arg.index))
            .fold(Made::NOTHING, Made::most);
        self.component(0, *component_index).with(given)
    }

    fn alias(&mut self, alias: &ComponentAlias<'_>) {
        match alias {
            ComponentAlias::Outer {
                kind: ComponentOuterAliasKind::Component,
                count,
                index,
            } => self.add(self.component(*count, *index)),
            // One that was met before, or one that is given.
            ComponentAlias::InstanceExport {
                kind: ComponentExternalKind::Component,
                ..
            } => self.add(self.most.most(Made::GIVEN)),
            ComponentAlias::Outer { .. }
            | ComponentAlias::InstanceExport { .. }
            | ComponentAlias::CoreInstanceExport { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_counts_as_often_as_it_is_made() {
        let twice_given = Made { own: 3, given: 2 };
        let ten = Made { own: 10, given: 0 };
        assert_eq!(twice_given.with(ten), Made { own: 23, given: 0 });
        let passed_on = twice_given.with(Made { own: 1, given: 5 });
        assert_eq!(passed_on, Made { own: 5, given: 10 });
    }

    #[test]
    fn sums_end_at_the_largest_number() {
        let mut made = ONE;
        for _ in 0..200 {
            made = made.and(made);
        }
        assert_eq!(made.own, u64::MAX);
    }
}
