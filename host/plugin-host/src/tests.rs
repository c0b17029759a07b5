mod calls;
mod guest;
mod hostile;
mod loading;
mod proofs;
