mod callback;
mod deploy;
mod house;
mod life;
mod outcome;
mod time;
