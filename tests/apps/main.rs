//! The Apps that are shipped do what they say: each one is run for real, and what it leaves is looked at.

mod backup;
mod db_migrate;
mod etl;
mod mail;
mod papers;
mod sandbox;
mod shells;
mod shipped;
mod transfer;
