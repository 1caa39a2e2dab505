"""What tests are made from: experiments, records, reports, machines."""
