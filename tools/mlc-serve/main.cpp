//===- main.cpp - the server of compiled models ------------------------------------------------------------------===//
int main() { return 0; }
