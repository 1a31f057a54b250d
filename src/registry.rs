//! Opens the providers that a configuration or a state names, and is where everything above finds them.
//!
//! Every provider is handed out behind one wrapper that splits reads into the batches it takes and repeats
//! transient read failures with back-off. Writes go through unchanged: whether one may be repeated is the
//! caller's to decide, who knows the lease. It plans nothing and decides nothing.

mod clock;
mod retry;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;
use tideform_mock::MockProvider;
use tideform_policies::model::{ProviderAddress, ProviderConfiguration};
use tideform_provider::{Clock, Provider, ProviderError};

pub use retry::{RetryPolicy, Retrying};

/// Why the providers cannot be opened. Nothing was changed.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// No such kind of provider.
    #[error("{address}: there is no provider of kind `{}`; there are: {known}", address.kind)]
    UnknownKind {
        /// Which block.
        address: ProviderAddress,
        /// The kinds there are, for people.
        known: String,
    },
    /// The kind is planned, and this build does not have it.
    #[error("{address}: {message}")]
    NotSupported {
        /// Which block.
        address: ProviderAddress,
        /// What is missing, and what to do.
        message: String,
    },
    /// The block is wrong, or what it points to cannot be read.
    #[error("{address} cannot be opened")]
    Open {
        /// Which block.
        address: ProviderAddress,
        /// What is wrong.
        source: ProviderError,
    },
    /// Two providers whose times have nothing to do with each other.
    #[error(
        "{stepped} runs by a stepped clock and {other} does not run by the same one; a run has one time: \
         use `clock = \"real\"` in the world, or that provider alone"
    )]
    MixedClocks {
        /// The one with a stepped clock.
        stepped: ProviderAddress,
        /// The other.
        other: ProviderAddress,
    },
}

/// The providers of a run, by address, and the one clock of the run.
#[derive(Clone)]
pub struct Providers {
    by_address: BTreeMap<ProviderAddress, Arc<dyn Provider>>,
    configurations: Vec<ProviderConfiguration>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Providers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Providers")
            .field("addresses", &self.by_address.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Providers {
    /// Opens them all.
    ///
    /// - `directory`: the configuration's; paths in the blocks are relative to it.
    ///
    /// # Errors
    /// The first [`RegistryError`]. No call to a cloud is made yet, so wrong credentials show later.
    pub async fn open(
        configurations: &[ProviderConfiguration],
        directory: &Path,
    ) -> Result<Providers, RegistryError> {
        let mut opened = Vec::with_capacity(configurations.len());
        for configuration in configurations {
            let provider = open_one(configuration, directory)?;
            opened.push((configuration.clone(), provider));
        }
        Providers::of(opened)
    }

    /// From providers that are already there, as `simulate` and tests have them.
    ///
    /// # Errors
    /// [`RegistryError::MixedClocks`].
    pub fn of(
        opened: Vec<(ProviderConfiguration, Arc<dyn Provider>)>,
    ) -> Result<Providers, RegistryError> {
        let stepped = opened.iter().find_map(|(configuration, provider)| {
            let clock = provider.clock().filter(|clock| clock.is_stepped())?;
            Some((configuration.address.clone(), clock))
        });
        let clock: Arc<dyn Clock> = match stepped {
            None => clock::machine_clock(),
            Some((stepped, clock)) => {
                if let Some((other, _)) = opened
                    .iter()
                    .find(|(configuration, _)| configuration.address != stepped)
                {
                    return Err(RegistryError::MixedClocks {
                        stepped,
                        other: other.address.clone(),
                    });
                }
                clock
            }
        };
        let mut by_address: BTreeMap<ProviderAddress, Arc<dyn Provider>> = BTreeMap::new();
        let mut configurations = Vec::with_capacity(opened.len());
        for (configuration, provider) in opened {
            let retrying = Retrying::new(provider, clock.clone(), RetryPolicy::default());
            by_address.insert(configuration.address.clone(), Arc::new(retrying));
            configurations.push(configuration);
        }
        Ok(Providers {
            by_address,
            configurations,
            clock,
        })
    }

    /// The provider of this address.
    pub fn get(&self, address: &ProviderAddress) -> Option<&Arc<dyn Provider>> {
        self.by_address.get(address)
    }

    /// All of them, in the order of their addresses.
    pub fn iter(&self) -> impl Iterator<Item = (&ProviderAddress, &Arc<dyn Provider>)> {
        self.by_address.iter()
    }

    /// The blocks that they were opened from, in the order of the files; without secrets, as written.
    pub fn configurations(&self) -> &[ProviderConfiguration] {
        &self.configurations
    }

    /// The clock of this run: the stepped world's where there is one, else the machine's.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_address.is_empty()
    }
}

fn open_one(
    configuration: &ProviderConfiguration,
    directory: &Path,
) -> Result<Arc<dyn Provider>, RegistryError> {
    let address = &configuration.address;
    match &*address.kind {
        "mock" => open_mock(configuration, directory),
        "aws" => open_aws(configuration),
        "prometheus" => Err(RegistryError::NotSupported {
            address: address.clone(),
            message: "the Prometheus source comes with a later version".to_owned(),
        }),
        _ => Err(RegistryError::UnknownKind {
            address: address.clone(),
            known: "mock, aws, prometheus".to_owned(),
        }),
    }
}

#[cfg(feature = "aws")]
fn open_aws(configuration: &ProviderConfiguration) -> Result<Arc<dyn Provider>, RegistryError> {
    match tideform_aws::AwsProvider::open(&configuration.settings) {
        Ok(provider) => Ok(Arc::new(provider)),
        Err(source) => Err(RegistryError::Open {
            address: configuration.address.clone(),
            source,
        }),
    }
}

#[cfg(not(feature = "aws"))]
fn open_aws(configuration: &ProviderConfiguration) -> Result<Arc<dyn Provider>, RegistryError> {
    Err(RegistryError::NotSupported {
        address: configuration.address.clone(),
        message: "this tideform was built without the feature `aws`".to_owned(),
    })
}

fn open_mock(
    configuration: &ProviderConfiguration,
    directory: &Path,
) -> Result<Arc<dyn Provider>, RegistryError> {
    match MockProvider::open(&configuration.settings, directory) {
        Ok(provider) => Ok(Arc::new(provider)),
        Err(source) => Err(RegistryError::Open {
            address: configuration.address.clone(),
            source,
        }),
    }
}
