"""What every step may use: contracts between steps, records, pictures, small I/O."""
