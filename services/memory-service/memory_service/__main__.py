from memory_service.main import main

main()
