"""The parts of the private machine: accounts, services, terminals, the log, codes and the command."""
