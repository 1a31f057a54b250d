//! Writes a state with something in every table, from which a migration fixture is dumped; see `fixtures/README.md`.

#[path = "../tests/state/support.rs"]
mod support;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or("give the path of the new state")?;
    let mut state = tideform_state::State::create(path, &support::new_state())?;
    support::populate(&mut state)?;
    Ok(())
}
