export { limits } from "@nextai/contract";
