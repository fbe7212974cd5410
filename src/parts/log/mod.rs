mod group;
mod wire;
