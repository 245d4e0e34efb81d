export { isBlank } from "@nextai/contract/text"; // in a browser too
