#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "modelpar/Pipelines/Phases.h"
int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  modelpar::pipelines::registerModelparDialects(registry);
  modelpar::pipelines::registerModelparPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "modelpar optimizer driver\n", registry));
}
