"""The formats of others that `trueval export` writes, a function each."""
