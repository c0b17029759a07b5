mod calls;
mod guest;
mod hooks;
mod hostile;
mod loading;
mod proofs;
